import { type Host, type Plugin, reject, replies } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { base64, upgrading, words } from "../support/auth.ts";
import { hold, open, opened, plugin, recorder, turn } from "../support/dialogue.ts";

/** Writes down what it is told of sessions. */
function onlooker() {
  const diary: string[] = [];
  const looking = plugin("looking", (host) => {
    host.onFault((session, fault) => void diary.push(`${fault} by ${session.client.address}`));
    host.onSessionEnd(
      ({ client, tls }) => void diary.push(`end of ${client.address}${tls === undefined ? "" : " in TLS"}`),
    );
  });
  return { diary, looking };
}

const rough = plugin("rough", ({ hooks }) => {
  hooks.rcpt.tap("rough", ({ address }) => (address.localPart === "joe" ? reject("No joe here") : undefined));
  hooks.data.tap("rough", () => reject("Not this message"));
});

/** A mechanism that says no by itself. */
const strict = plugin("strict", (host) =>
  host.extend({ mechanisms: [{ name: "XNO", start: () => ({ refuse: replies.badCredentials }) }] }),
);

const fault = (kind: string): string => `${kind} by 192.0.2.1`;

describe("an onlooker is told of", () => {
  test.each([
    ["a line that is none", ["BAD\0"], "syntax"],
    ["wrong syntax", ["MAIL TO:<>"], "syntax"],
    ["wrong sequence", ["DATA"], "syntax"],
    ["an unknown command", ["XYZZY"], "unknownCommand"],
    ["another protocol", ["GET / HTTP/1.1"], "syntax"],
    ["wrong credentials", [`AUTH XWORD ${base64("jane shut")}`], "credentials"],
    ["credentials a mechanism refuses", ["AUTH XNO"], "credentials"],
    ["a refused recipient", ["MAIL FROM:<>", "RCPT TO:<joe@example.com>"], "refused"],
    ["a refused message", ["MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA", "text", "."], "refused"],
  ])("%s", async (_what, lines, kind) => {
    const { diary, looking } = onlooker();
    const { say, hear } = await open({ plugins: [words(), strict, sink(), rough, looking] });
    say("EHLO client.test");
    await hear(4);
    for (const line of lines) say(line);
    while (!/^[45]/.test((await hear(1)).at(-1) ?? "5"));
    expect(diary).toContain(fault(kind));
    expect(diary.filter((line) => line.includes(" by "))).toHaveLength(1);
  });

  test("nothing when all is well, or when it is the server's fault", async () => {
    const { diary, looking } = onlooker();
    const failing = plugin("failing", ({ hooks }) =>
      hooks.rcpt.tap("failing", () => {
        throw new Error("broken on purpose");
      }),
    );
    const { say, hear } = await open({ plugins: [words(), sink(), failing, looking] });
    say("EHLO client.test", `AUTH XWORD ${base64("jane open")}`, "MAIL FROM:<>", "RCPT TO:<jane@example.com>", "QUIT");
    await hear(10);
    expect(diary).toEqual(["end of 192.0.2.1"]);
  });

  test("the last wrong password too, which is answered 421", async () => {
    const { diary, looking } = onlooker();
    const { say, hear, wire } = await open({ plugins: [words(), sink(), looking] });
    say("EHLO client.test");
    for (let count = 0; count < 3; count += 1) say(`AUTH XWORD ${base64("jane shut")}`);
    await hear(9);
    expect(wire.ended).toBe(true);
    expect(diary.filter((line) => line === fault("credentials"))).toHaveLength(3);
  });
});

describe("the end of a session is told once", () => {
  test("whoever closes, and when the server refused the connection", async () => {
    const { diary, looking } = onlooker();
    const closed = plugin("closed", ({ hooks }) => hooks.connect.tap("closed", () => reject("Nobody comes in")));
    await open({ plugins: [sink(), looking, closed] });
    expect(diary).toEqual(["end of 192.0.2.1"]);
  });

  test("the client leaves without a word, more than once", async () => {
    const { diary, looking } = onlooker();
    const { engine, say } = await open({ plugins: [sink(), looking] });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA", "half");
    engine.gone("disconnected");
    engine.gone("disconnected");
    engine.ended();
    expect(diary).toEqual(["end of 192.0.2.1"]);
  });

  test("its time is over", async () => {
    const clock = new TestClock();
    const { diary, looking } = onlooker();
    await open({ plugins: [sink(), looking], clock });
    clock.advance(300_000);
    expect(diary).toEqual(["end of 192.0.2.1"]);
  });

  test("a change of the layer below is no end", async () => {
    const { diary, looking } = onlooker();
    const { say, engine, hear } = await open({ plugins: [sink(), upgrading(), looking] });
    say("XUPGRADE");
    await hear(2);
    engine.secured({ protocol: "TLSv1.3", cipher: "none" });
    expect(diary).toEqual([]);
    say("QUIT");
    expect(diary).toEqual(["end of 192.0.2.1 in TLS"]);
  });

  test("a message that outlives its connection is waited for", async () => {
    const { diary, looking } = onlooker();
    let letGo: () => void = () => {};
    const slow = plugin("slow", ({ hooks }) =>
      hooks.data.tapPromise("slow", () => new Promise((resolve) => (letGo = () => resolve(undefined)))),
    );
    const { say, engine } = await open({ plugins: [sink(), slow, looking] });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA", "text", ".");
    await turn();
    engine.gone("disconnected");
    expect(diary).toEqual([]);
    letGo();
    await turn();
    expect(diary).toEqual(["end of 192.0.2.1"]);
  });
});

describe("what an onlooker does wrong", () => {
  const broken = (apply: (host: Host) => void): Plugin => plugin("broken", apply);

  test("is logged with its name, once, and harms nobody", async () => {
    const log = recorder();
    const { diary, looking } = onlooker();
    const failing = broken((host) => {
      host.onFault(() => {
        throw new Error("cannot count");
      });
      host.onSessionEnd(() => Promise.reject(new Error("cannot end")) as never); // as plain JavaScript may
    });
    const { say, hear, server } = await open({ plugins: [sink(), failing, looking], log });
    say("XYZZY", "XYZZY", "QUIT");
    expect(await hear(4)).toHaveLength(4);
    hold(server).say("QUIT");
    await turn();
    expect(log.lines).toEqual([
      "error: plugin broken failed beside a session: cannot count",
      "error: plugin broken failed beside a session: cannot end",
    ]);
    expect(diary).toEqual([fault("unknownCommand"), fault("unknownCommand"), "end of 192.0.2.1", "end of 192.0.2.1"]);
  });

  test.each(["onFault", "onSessionEnd"] as const)("%s comes too late behind apply", async (name) => {
    let kept: Host | undefined;
    await open({ plugins: [sink(), broken((host) => void (kept = host))] });
    expect(() => kept?.[name](() => {})).toThrow("plugin broken watches after the server was sealed");
  });
});
