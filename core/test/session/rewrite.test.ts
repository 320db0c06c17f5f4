import type { BodyTransform, Edit, MessageView, Plugin } from "@mailhost/core";
import { describeEdit, rejectWith } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { open, opened, plugin, recorder, turn } from "../support/dialogue.ts";
import { fail } from "../support/wrong.ts";

const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

/** A transform of the text as a whole. */
const ofText = (change: (text: string) => string): BodyTransform =>
  async function* (body) {
    let text = "";
    for await (const piece of body) text += Buffer.from(piece).toString("latin1");
    yield octets(change(text));
  };

function gate() {
  let release = (): void => {};
  const promise = new Promise<void>((resolve) => (release = resolve));
  return { promise, release: () => release() };
}

const rewriting = (name: string, transform: BodyTransform, rest: { onFailure?: "ignore" } = {}): Plugin =>
  plugin(name, ({ hooks }) => hooks.data.tapPromise(name, (message) => message.rewriteBody(transform)), rest);

const handIn = ["RCPT TO:<joe@example.com>", "DATA"];

/** What comes of one message, the log, and the edits that were traced. */
async function deliver(plugins: readonly Plugin[], lines: readonly string[], limits = {}) {
  const box = sink();
  const log = recorder();
  const edits: string[] = [];
  const watch = plugin("watch", ({ hooks }) =>
    hooks.trace.tap("watch", (event) => {
      if (event.type === "tap" && event.hook === "data")
        for (const edit of event.edits) edits.push(`${event.plugin}: ${describeEdit(edit)}`);
    }),
  );
  const { say, hear } = await open({ plugins: [box, watch, ...plugins], log, limits });
  say(...opened, ...handIn, ...lines, ".");
  const reply = (await hear(11)).at(-1);
  const stored = box.messages[0]?.text.replace(/^Received:[^]*?\r\n(?![ \t])/m, "");
  return { reply, stored, edits, log: log.lines };
}

describe("rewriteBody", () => {
  test.each<[string, string[], string]>([
    ["header and body", ["Subject: x", "", "text"], "Subject: x\r\n\r\nTEXT\r\n"],
    ["a header alone", ["Subject: x"], "Subject: x\r\n\r\n"],
    ["no body", ["Subject: x", ""], "Subject: x\r\n\r\n"],
    ["text without header", ["text only"], "\r\nTEXT ONLY\r\n"],
    ["an empty line first", ["", "text"], "\r\nTEXT\r\n"],
  ])("sees the body behind the empty line: %s", async (_, lines, stored) => {
    const got = await deliver(
      [
        rewriting(
          "upper",
          ofText((text) => text.toUpperCase()),
        ),
      ],
      lines,
    );
    expect(got.reply).toMatch(/^250 /);
    expect(got.stored).toBe(stored);
  });

  test("later taps see the result, in order, field edits beside it", async () => {
    const seen: string[] = [];
    const first = plugin("first", ({ hooks }) =>
      hooks.data.tapPromise("first", async (message) => {
        message.addField("X-First", "1");
        await message.rewriteBody(ofText((text) => `first ${text}`));
        await message.rewriteBody(ofText((text) => `again ${text}`));
        message.replaceField("Subject", "new");
      }),
    );
    const reader = plugin("reader", ({ hooks }) =>
      hooks.data.tapPromise("reader", async (message) => {
        const whole = await message.bytes();
        seen.push(Buffer.from(whole).toString("latin1").split("\r\n\r\n")[1] ?? "", String(whole.length));
        seen.push(String(message.octets));
      }),
    );
    const got = await deliver(
      [
        first,
        reader,
        rewriting(
          "last",
          ofText((text) => `last ${text}`),
        ),
      ],
      ["Subject: x", "", "text"],
    );
    expect(seen[0]).toBe("again first text\r\n");
    expect(seen[1]).toBe(seen[2]);
    expect(got.stored).toBe("X-First: 1\r\nSubject: new\r\n\r\nlast again first text\r\n");
    expect(got.edits).toEqual([
      "first: add field X-First",
      "first: rewrite body to 12 octets",
      "first: rewrite body to 18 octets",
      "first: replace field Subject",
      "last: rewrite body to 23 octets (touched by first before)",
    ]);
  });

  test("two plugins that touch one field are seen to, whatever the case", async () => {
    const adds = (name: string, field: string) =>
      plugin(name, ({ hooks }) => hooks.data.tap(name, (message) => message.addField(field, name)));
    const drops = plugin("drops", ({ hooks }) => hooks.data.tap("drops", (message) => message.removeField("X-SPAM")));
    const failing = plugin(
      "failing",
      ({ hooks }) =>
        hooks.data.tap("failing", (message) => {
          message.addField("X-Spam", "1");
          throw new Error("oops");
        }),
      { onFailure: "ignore" },
    );
    const got = await deliver([failing, adds("one", "X-Spam"), adds("two", "x-spam"), drops], ["", "text"]);
    expect(got.edits).toEqual([
      "one: add field X-Spam",
      "two: add field x-spam (touched by one before)",
      "drops: remove field X-SPAM (touched by one, two before)",
    ]);
  });

  test("a last line without its end gets one; nothing at all stays nothing", async () => {
    expect((await deliver([rewriting("cut", () => [octets("a\r\nb")])], ["", "text"])).stored).toBe("\r\na\r\nb\r\n");
    expect((await deliver([rewriting("none", () => [])], ["", "text"])).stored).toBe("\r\n");
  });

  const failures: [string, BodyTransform, string][] = [
    ["a bare LF", () => [octets("a\nb\r\n")], "a body has CRLF line ends, never CR or LF alone"],
    ["a bare LF at a cut", () => [octets("a"), octets("\nb")], "a body has CRLF line ends, never CR or LF alone"],
    ["a bare CR", () => [octets("a\rb")], "a body has CRLF line ends, never CR or LF alone"],
    ["a bare CR at a cut", () => [octets("a\r"), octets("b")], "a body has CRLF line ends, never CR or LF alone"],
    ["a bare CR at the end", () => [octets("a\r")], "a body has CRLF line ends, never CR or LF alone"],
    // As plain JavaScript would
    ["text instead of octets", () => ["a\r\n"] as unknown as Uint8Array[], "a body consists of Uint8Arrays"],
    // As a transform that forgets its return would
    ["nothing", () => undefined as unknown as Uint8Array[], "a transform returns an iterable of Uint8Arrays"],
    ["an error of its own", ofText(() => JSON.parse("{")), "Expected property name or '}' in JSON at position 1"],
  ];
  test.each(failures)("fails its tap with %s, and nothing is changed", async (_, transform, words) => {
    const refused = await deliver([rewriting("bad", transform)], ["Subject: x", "", "text"]);
    expect(refused.reply).toBe("451 4.3.0 Temporary local problem");
    expect(refused.stored).toBeUndefined();
    expect(refused.log.join()).toContain(`plugin bad failed in data: ${words}`);
    const ignored = await deliver([rewriting("bad", transform, { onFailure: "ignore" })], ["Subject: x", "", "text"]);
    expect(ignored.reply).toMatch(/^250 /);
    expect(ignored.stored).toBe("Subject: x\r\n\r\ntext\r\n");
    expect(ignored.edits).toEqual([]);
  });

  test("CRLF may be cut anywhere", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom("a", "\r\n", "bb", ""), { maxLength: 8 }), async (pieces) => {
        const text = pieces.join("");
        const single = () => Array.from(text, octets);
        const { stored } = await deliver([rewriting("cut", single)], ["", "text"]);
        expect(stored).toBe(`\r\n${text}${text === "" || text.endsWith("\r\n") ? "" : "\r\n"}`);
      }),
      { numRuns: 50 },
    ));

  const left: [string, (message: MessageView) => unknown][] = [
    ["a tap that never looks at it again", (message) => void message.rewriteBody(() => [octets("x\r\n")])],
    ["a tap that does not wait for it", (message) => void message.rewriteBody(() => [octets("x\r\n")]).catch(() => {})],
    [
      "a tap that waits for something else",
      (message) => {
        void message.rewriteBody(ofText(() => "x")).catch(() => {});
        return Promise.resolve();
      },
    ],
  ];
  test.each(left)("%s has failed", async (_, judge) => {
    const tap = plugin(
      "hasty",
      ({ hooks }) => hooks.data.tapPromise("hasty", async (message) => void (await judge(message))),
      { onFailure: "ignore" },
    );
    const sync = plugin("sync", ({ hooks }) => hooks.data.tap("sync", (message) => void judge(message)), {
      onFailure: "ignore",
    });
    const got = await deliver([tap, sync], ["", "text"]);
    expect(got.stored).toBe("\r\ntext\r\n");
    expect(got.log.filter((line) => line.includes("it did not wait for rewriteBody"))).toHaveLength(2);
  });

  test("a tap that never hears that it failed has failed, too", async () => {
    const tap = plugin("hasty", ({ hooks }) =>
      hooks.data.tapPromise("hasty", async (message) => {
        void message.rewriteBody(fail);
        for (let turns = 0; turns < 3; turns += 1) await turn();
      }),
    );
    const got = await deliver([tap], ["", "text"]);
    expect(got.stored).toBeUndefined();
    expect(got.log).toEqual([expect.stringContaining("it did not wait for rewriteBody")]);
  });

  test("one that hears of it late may go on", async () => {
    const tap = plugin("late", ({ hooks }) =>
      hooks.data.tapPromise("late", async (message) => {
        const written = message.rewriteBody(fail);
        for (let turns = 0; turns < 3; turns += 1) await turn();
        await written.catch(() => {});
      }),
    );
    const got = await deliver([tap], ["", "text"]);
    expect(got.stored).toBe("\r\ntext\r\n");
    expect(got.log).toEqual([]);
  });

  test("one at a time, and not once the tap has settled", async () => {
    const errors: string[] = [];
    let kept: MessageView | undefined;
    const note = (error: unknown): void => void errors.push(String(error));
    const tap = plugin("twice", ({ hooks }) =>
      hooks.data.tapPromise("twice", async (message) => {
        kept = message;
        const first = message.rewriteBody(ofText((text) => `1 ${text}`));
        await message.rewriteBody(ofText((text) => `2 ${text}`)).catch(note);
        await first;
      }),
    );
    const got = await deliver([tap], ["", "text"]);
    await kept?.rewriteBody(() => []).catch(note);
    expect(got.stored).toBe("\r\n1 text\r\n");
    expect(errors).toEqual([
      "Error: one rewriteBody at a time: wait for the first",
      "Error: the tap has settled: its message cannot be changed any more",
    ]);
  });

  test("one that takes too long counts for nothing, whenever it ends", async () => {
    const clock = new TestClock();
    const box = sink();
    const { promise: held, release } = gate();
    const { promise: begun, release: begin } = gate();
    const errors: unknown[] = [];
    const slow = plugin("slow", ({ hooks }) =>
      hooks.data.tapPromise({ name: "slow", deadline: 1000 }, async (message) => {
        const transform: BodyTransform = async function* () {
          begin();
          yield octets("one\r\n");
          await held;
          yield octets("two\r\n");
        };
        await message.rewriteBody(transform).catch((error: unknown) => errors.push(error));
      }),
    );
    const { say, hear } = await open({ plugins: [box, slow], clock });
    say(...opened, ...handIn, "", "text", ".");
    await hear(10);
    await begun;
    clock.advance(1000);
    expect(await hear(1)).toEqual(["451 4.3.0 Temporary local problem"]);
    release();
    await expect
      .poll(() => errors.map(String))
      .toEqual(["Error: the tap has settled: what it makes of the body comes too late"]);
    expect(box.messages).toEqual([]);
  });

  test("a large body goes through in pieces and comes to rest in a file", async () => {
    let most = 0;
    const double: BodyTransform = async function* (body) {
      for await (const piece of body) {
        most = Math.max(most, piece.length);
        yield piece;
        yield octets("--\r\n");
      }
    };
    const line = `${"x".repeat(98)}`;
    const limits = { messageMemoryOctets: 64 * 1024 };
    const got = await deliver(
      [rewriting("double", double)],
      ["", ...Array.from({ length: 30_000 }, () => line)],
      limits,
    );
    expect(got.log).toEqual([]);
    expect(got.reply).toMatch(/^250 /);
    expect(got.stored?.replaceAll("--\r\n", "")).toBe(`\r\n${`${line}\r\n`.repeat(30_000)}`);
    expect(most).toBeLessThanOrEqual(256 * 1024);
  });

  test("a refusal after a rewriting is the answer", async () => {
    const tap = plugin("both", ({ hooks }) =>
      hooks.data.tapPromise("both", async (message) => {
        await message.rewriteBody(() => []);
        return rejectWith({ code: 554, status: "5.6.0", text: "No" });
      }),
    );
    expect((await deliver([tap], ["", "text"])).reply).toBe("554 5.6.0 No");
  });
});

describe("fields", () => {
  const tap = (edit: (message: MessageView) => void): Plugin =>
    plugin("editor", ({ hooks }) => hooks.data.tap("editor", edit));

  test("core's Received stays, whoever removes or replaces it", async () => {
    const box = sink();
    const drops = tap((message) => message.removeField("received"));
    const puts = tap((message) => message.replaceField("Received", "by plugin"));
    for (const editor of [drops, puts]) {
      const { say, hear } = await open({ plugins: [box, editor] });
      say(...opened, ...handIn, "Received: by other", "Subject: x", "", "text", ".");
      await hear(11);
    }
    expect(box.messages.map(({ text }) => text.match(/^Received: (?:from client\.test|by \w+)/gm))).toEqual([
      ["Received: from client.test"],
      ["Received: from client.test", "Received: by plugin"],
    ]);
    expect(box.messages[0]?.text).not.toContain("by other");
  });

  test("to remove what is not there is no edit; what was just added is there", async () => {
    const none = await deliver([tap((message) => message.removeField("X-None"))], ["", "text"]);
    expect(none.edits).toEqual([]);
    const own = tap((message) => {
      message.addField("X-Own", "1");
      message.removeField("X-Own");
    });
    const both = await deliver([own], ["", "text"]);
    expect(both.edits).toEqual(["editor: add field X-Own", "editor: remove field X-Own"]);
    expect(both.stored).toBe("\r\ntext\r\n");
  });
});

test("edits in words", () => {
  const edits: [Edit, string][] = [
    [{ kind: "permit", as: "relay" }, "permit relay"],
    [{ kind: "route", transport: "smtp", nexthop: "mx.example.com" }, "route to smtp (mx.example.com)"],
    [{ kind: "stage" }, "staged"],
  ];
  for (const [edit, words] of edits) expect(describeEdit(edit)).toBe(words);
});
