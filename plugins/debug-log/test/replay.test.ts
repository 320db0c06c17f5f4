import { definePlugin, tlsUpgrade } from "@mailhost/core";
import { client, sink } from "@mailhost/testkit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Dialogue, debugLog, octetsOf, readDialogue, readRecord } from "../src/index.ts";
import { Memory, bouncer, login, response } from "./helpers.ts";

/** What a client does: a line or octets; `secret` lines go to the replayer beside the dump. */
type Move = { readonly send: string | Uint8Array; readonly secret?: true };

const plugins = () => [sink(), login(), bouncer()];

async function record(moves: readonly Move[]): Promise<{ dialogue: Dialogue; replies: readonly string[] }> {
  const ndjson = new Memory();
  const log = debugLog({ text: false, ndjson, body: "all" });
  const speaker = await client({ plugins: [...plugins(), log], client: "198.51.100.7" });
  for (const { send } of moves) {
    speaker.send(send);
    await settle();
  }
  await speaker.close();
  const dialogues = await all(ndjson.lines);
  expect(dialogues).toHaveLength(1);
  const [dialogue] = dialogues;
  if (dialogue === undefined) return expect.unreachable();
  expect(dialogue.replies).toEqual(speaker.lines);
  return { dialogue, replies: speaker.lines };
}

const all = async (lines: readonly string[]): Promise<Dialogue[]> => {
  const dialogues: Dialogue[] = [];
  for await (const dialogue of readDialogue(lines)) dialogues.push(dialogue);
  return dialogues;
};

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Plays the client's side to a fresh server, each step when the server has said as much as it had then. */
async function replay(dialogue: Dialogue, secrets: readonly string[]): Promise<readonly string[]> {
  const speaker = await client({ plugins: plugins(), client: dialogue.client.address });
  const left = [...secrets];
  for (const step of dialogue.steps) {
    await speaker.heard(step.heard);
    speaker.send(octetsOf(step, () => left.shift() ?? ""));
    await settle();
  }
  await speaker.heard(dialogue.replies.length);
  await settle();
  await speaker.close();
  return speaker.lines;
}

/** Replies without queue ids. */
const timeless = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/\b[0-9A-Z]{15,17}\b/, "ID"));

async function expectSame(moves: readonly Move[]): Promise<void> {
  const { dialogue, replies } = await record(moves);
  expect(dialogue.gaps).toEqual([]);
  expect(dialogue.client.address).toBe("198.51.100.7");
  const asked = dialogue.steps.filter(({ does }) => does === "secret").length;
  const secrets = moves.flatMap(({ send, secret }) => (secret === true && typeof send === "string" ? [send] : []));
  expect(timeless(await replay(dialogue, secrets.slice(0, asked)))).toEqual(timeless(replies));
}

const said = (...lines: string[]): Move[] => lines.map((send) => ({ send }));
const secret = (send: string): Move => ({ send, secret: true });

const mail = said(
  "MAIL FROM:<joe@example.com> SIZE=100",
  "RCPT TO:<mallory@example.com>",
  "RCPT TO:<jane@example.com>",
);
const body = (content: Uint8Array): Move[] => [
  ...said("DATA"),
  { send: Uint8Array.from([...content, 0x0d, 0x0a, 0x2e, 0x0d, 0x0a]) },
];

describe("what a dump replays", () => {
  test("TLS, AUTH, a refused recipient, a message of any octets", () =>
    expectSame([
      ...said("EHLO client.test", "STARTTLS", "EHLO client.test", "AUTH PLAIN"),
      secret(response("jane", "wrong")),
      secret(`AUTH PLAIN ${response("jane", "tr0ub4dor")}`),
      ...mail,
      ...body(Uint8Array.from({ length: 100_000 }, (_, index) => (index % 90 === 0 ? 0x2e : 0x80 + (index % 128)))),
      ...said("QUIT"),
    ]));

  test("lines that are none", () =>
    expectSame([
      { send: new TextEncoder().encode("HELO x\n") },
      { send: Uint8Array.of(0xc3, 0x28, 0x0d, 0x0a) },
      { send: "Y".repeat(50_000) },
      ...said("", "   ", "NOOP   ", `NOOP${" ".repeat(600)}`, "QUIT"),
    ]));

  test("a TLS handshake on a port in clear", () => expectSame([{ send: Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00) }]));

  test("any dialogue: the same reply lines", () => {
    const commands = fc.constantFrom(
      ...said(
        "EHLO client.test",
        "HELO client.test",
        "ehlo  ünïcode",
        "RSET",
        "NOOP x",
        "VRFY jane",
        "HELP",
        "BOGUS",
        "",
      ),
      ...said("MAIL FROM:<>", "MAIL FROM:<joe@example.com> BODY=8BITMIME", "MAIL FROM:<a b>", "DATA", "RCPT TO:<x@>"),
      ...said("RCPT TO:<jane@example.com>", "RCPT TO:<mallory@example.com>", "STARTTLS", "AUTH PLAIN", "*", "QUIT"),
    );
    const wrong = secret(`AUTH PLAIN ${response("jane", "wrong")}`);
    const right = secret(`AUTH PLAIN ${response("jane", "tr0ub4dor")}`);
    const move = fc.oneof(
      { weight: 8, arbitrary: commands.map((one): Move[] => [one]) },
      { weight: 1, arbitrary: fc.constantFrom(wrong, right).map((one): Move[] => [one]) },
      { weight: 3, arbitrary: fc.uint8Array({ maxLength: 300 }).map((octets): Move[] => [...mail, ...body(octets)]) },
      { weight: 1, arbitrary: fc.constant<Move[]>([{ send: new TextEncoder().encode("NOOP\n") }]) },
    );
    const dialogues = fc.array(move, { maxLength: 12 }).map((moves) => [...said("EHLO client.test"), ...moves.flat()]);
    return fc.assert(fc.asyncProperty(dialogues, markSecrets), { numRuns: 200 });
  });
});

/**
 * Lines sent where a 334 waits, or unknown ones behind AUTH, are secrets too: the replayer of this test
 * is given all of them as the dump asks for them.
 */
async function markSecrets(moves: readonly Move[]): Promise<void> {
  const { dialogue, replies } = await record(moves);
  const lines = linesSent(moves);
  const secrets = dialogue.steps.flatMap((step, index) =>
    step.does === "secret" ? [lineAt(dialogue, lines, index)] : [],
  );
  expect(timeless(await replay(dialogue, secrets))).toEqual(timeless(replies));
}

/** Every line the client sent, bodies left out as the server took them. */
const linesSent = (moves: readonly Move[]): string[] =>
  Buffer.concat(moves.map(({ send }) => Buffer.from(typeof send === "string" ? `${send}\r\n` : send)))
    .toString("latin1")
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));

/** The line that step `index` stands for: steps and lines run side by side, and a body takes as many as it has. */
function lineAt({ steps }: Dialogue, lines: readonly string[], index: number): string {
  let at = 0;
  for (const step of steps.slice(0, index)) {
    if (step.does === "line" || step.does === "secret" || step.does === "fault") at += 1;
    if (step.does === "body") at += Buffer.from(step.octets).toString("latin1").split("\n").length - 1;
  }
  return lines[at] ?? "";
}

const dump = async (options: Parameters<typeof debugLog>[0]): Promise<string[]> => {
  const ndjson = new Memory();
  const speaker = await client({ plugins: [...plugins(), debugLog({ text: false, ndjson, ...options })] });
  for (const { send } of [...said("EHLO client.test"), ...mail, ...body(new Uint8Array(10)), ...said("QUIT")]) {
    speaker.send(send);
    await settle();
  }
  await speaker.close();
  return ndjson.lines;
};
const gapsOf = async (lines: readonly string[]): Promise<readonly string[] | undefined> => (await all(lines))[0]?.gaps;

/** What may stand before the banner: four octets that name a client, as PROXY would, or TLS. */
const preamble = (kind: "read" | "upgrade") =>
  definePlugin({
    name: "preamble",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({
        preamble:
          kind === "upgrade"
            ? { kind, upgrade: tlsUpgrade(() => ({})) }
            : { kind, octets: 4, read: () => ({ used: 4, client: { address: "203.0.113.9", port: 9 } }) },
      });
    },
  })();

const recordBehind = async (kind: "read" | "upgrade"): Promise<Dialogue | undefined> => {
  const ndjson = new Memory();
  const speaker = await client({ plugins: [sink(), preamble(kind), debugLog({ text: false, ndjson })] });
  if (kind === "read") speaker.send(new TextEncoder().encode("HI!\n"));
  await speaker.reply();
  await speaker.close();
  return (await all(ndjson.lines))[0];
};

describe("what stands before the banner", () => {
  test("a client that an intermediary names", async () => {
    expect(await recordBehind("read")).toMatchObject({ client: { address: "203.0.113.9", port: 9 }, gaps: [] });
  });

  test("TLS from the first octet", async () => {
    const dialogue = await recordBehind("upgrade");
    expect(dialogue?.steps[0]).toEqual({ does: "secure", protocol: "TLSv1.3", heard: 0 });
    expect(dialogue?.steps[1]?.does).toBe("leave");
  });
});

describe("a dump that is not whole", () => {
  test("says so", async () => {
    const whole = await dump({ body: "all" });
    expect(await gapsOf(whole)).toEqual([]);
    expect(await gapsOf(await dump({}))).toEqual(["a body is not shown whole"]);
    expect(await gapsOf(whole.slice(1))).toEqual(["the dump begins after the connection"]);
    expect(await gapsOf(whole.slice(0, -1))).toEqual(["the dump ends before the connection"]);
    expect(await gapsOf([...whole.slice(0, 3), '{"v":1,"ty', ...whole.slice(3)])).toEqual([
      "a line of the dump is damaged",
    ]);
    const dropped = '{"v":1,"at":"2026-01-01T00:00:00.000Z","session":"","type":"dropped","records":3}';
    expect(await gapsOf([...whole.slice(0, 3), dropped, "", ...whole.slice(3)])).toEqual(["3 records are missing"]);
  });

  test("of another version is refused", async () => {
    const [first = ""] = await dump({});
    await expect(all([first.replace('"v":1', '"v":2')])).rejects.toThrow(RangeError);
  });

  test("never breaks the reader", () =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        expect(() => readRecord(line)).not.toThrow(TypeError);
      }),
    ));

  test("dialogues that ran side by side are told apart", async () => {
    const [one, two] = [await dump({ body: "all" }), await dump({ body: "all" })];
    const mixed = one.flatMap((line, index) => [line, two[index] ?? ""]);
    const dialogues = await all(mixed);
    expect(dialogues.map(({ gaps, steps }) => [gaps.length, steps.length])).toEqual([
      [0, 8],
      [0, 8],
    ]);
  });
});
