import { type Refusal, defer, disconnect, reject } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { upgrading } from "../support/auth.ts";
import { open, opened, plugin } from "../support/dialogue.ts";

describe("connect", () => {
  test.each<[string, Refusal, string]>([
    ["a rejection is 554", reject("Not you"), "554 5.7.1 Not you"],
    ["a deferral is 421", defer("Later"), "421 4.7.1 Later"],
    [
      "521 stays what it is (RFC 7504)",
      reject("No mail here", { code: 521, status: "5.3.2" }),
      "521 5.3.2 No mail here",
    ],
    ["a disconnect", disconnect("Enough"), "421 4.7.0 Enough"],
  ])("%s", (_, refusal, reply) =>
    transcript(
      () => ({ plugins: [sink(), plugin("judge", ({ hooks }) => hooks.connect.tap("judge", () => refusal))] }),
      `
      S: ${reply}
      S: <close>
      `,
    ),
  );

  test("sees who connected", async () => {
    let seen: unknown;
    const judge = plugin("judge", ({ hooks }) =>
      hooks.connect.tap(
        "judge",
        ({ id, serverName, mode, listener, client, local, greeting, tls, identity, spokeEarly, dryRun }) => {
          const known = { serverName, mode, listener, client, local, greeting, tls, identity, spokeEarly, dryRun };
          seen = { id: id.length, ...known };
        },
      ),
    );
    await open({ plugins: [sink(), judge] });
    expect(seen).toEqual({
      id: 16,
      serverName: "mx.example.com",
      mode: "transfer",
      listener: "2525",
      client: { address: "192.0.2.1", port: 40000 },
      local: { address: "192.0.2.25", port: 25 },
      greeting: undefined,
      tls: undefined,
      identity: undefined,
      spokeEarly: false,
      dryRun: false,
    });
  });

  test.each([true, false])("knows whether the session is only played (%s), behind TLS too", async (dryRun) => {
    const seen: boolean[] = [];
    const judge = plugin("judge", ({ hooks }) => {
      hooks.connect.tap("judge", (session) => void seen.push(session.dryRun));
      hooks.ehlo.tap("judge", (_greeting, session) => void seen.push(session.dryRun));
    });
    const { say, engine } = await open({ plugins: [sink(), upgrading(), judge] }, { dryRun });
    say("XUPGRADE");
    engine.secured({ protocol: "TLSv1.3", cipher: "none" });
    say("EHLO client.test");
    expect(seen).toEqual([dryRun, dryRun]);
  });
});

test("ehlo is asked for HELO too, and a refusal leaves the session without greeting", () =>
  transcript(
    () => ({
      plugins: [
        sink(),
        plugin("judge", ({ hooks }) =>
          hooks.ehlo.tap("judge", (greeting) => (greeting.name === "bad.test" ? reject("Not that name") : undefined)),
        ),
      ],
    }),
    `
    S: 220 *
    C: EHLO bad.test
    S: 550 5.7.1 Not that name
    C: HELO bad.test
    S: 550 5.7.1 Not that name
    C: MAIL FROM:<>
    S: 503 5.5.1 Say EHLO or HELO first
    C: HELO good.test
    S: 250 *
    C: HELO bad.test
    S: 550 5.7.1 Not that name
    C: MAIL FROM:<>
    S: 250 *
    `,
  ));

describe("rcpt", () => {
  const permitting = (kind: "local" | "relay") =>
    plugin("permitting", ({ hooks }) => hooks.rcpt.tap("permitting", (recipient) => recipient.permit(kind)));
  const routing = (transport: string) =>
    plugin(`routing-${transport}`, ({ hooks }) =>
      hooks.rcpt.tap("routing", (recipient) => recipient.routeTo({ transport })),
    );
  const closed = sink({ everything: false });
  const answer = async (options: Parameters<typeof open>[0]) => {
    const { say, hear } = await open(options);
    say(...opened, "RCPT TO:<joe@example.com>");
    return (await hear(9)).at(-1);
  };
  const local = { default: { local: "sink" } };
  const relay = plugin("relay", (host) => host.extend({ transports: [{ kind: "relay", phases: "two" }] }));

  test("wants somebody to permit and somebody to route", async () => {
    expect(await answer({ plugins: [closed] })).toBe("550 5.7.1 Relaying denied");
    expect(await answer({ plugins: [closed, routing("sink")] })).toBe("550 5.7.1 Relaying denied");
    expect(await answer({ plugins: [closed, permitting("local")] })).toBe("550 5.1.1 No such recipient here");
    expect(await answer({ plugins: [closed, permitting("local"), routing("sink")] })).toBe("250 2.1.5 Recipient ok");
    expect(await answer({ plugins: [closed, permitting("local")], ...local })).toBe("250 2.1.5 Recipient ok");
    expect(await answer({ plugins: [closed], ...local })).toBe("550 5.7.1 Relaying denied");
  });

  test("wants permit and transport to be of one kind", async () => {
    expect(await answer({ plugins: [closed, permitting("relay"), routing("sink")] })).toBe("550 5.7.1 Relaying denied");
    expect(await answer({ plugins: [closed, relay, permitting("local"), routing("relay")] })).toBe(
      "550 5.7.1 Relaying denied",
    );
    expect(await answer({ plugins: [closed, permitting("relay")], ...local })).toBe("550 5.1.1 No such recipient here");
    expect(await answer({ plugins: [closed, relay, permitting("relay")], default: { relay: "relay" } })).toBe(
      "250 2.1.5 Recipient ok",
    );
  });

  test("takes the same route twice, not two, and none to nowhere", async () => {
    const same = { ...routing("sink"), name: "again" };
    expect(await answer({ plugins: [closed, permitting("local"), routing("sink"), same] })).toBe(
      "250 2.1.5 Recipient ok",
    );
    expect(await answer({ plugins: [closed, relay, permitting("local"), routing("sink"), routing("relay")] })).toBe(
      "451 4.3.5 Recipient is routed twice",
    );
    expect(await answer({ plugins: [closed, permitting("local"), routing("nowhere")] })).toBe(
      "451 4.3.5 Nobody took the message",
    );
  });

  test("no order of plugins opens a hole", async () => {
    const no = plugin("no", ({ hooks }) => hooks.rcpt.tap("no", () => reject("No")));
    expect(await answer({ plugins: [sink(), no] })).toBe("550 5.7.1 No");
    expect(await answer({ plugins: [no, sink()] })).toBe("550 5.7.1 No");
  });
});

describe("data", () => {
  test("edits are seen by later taps, and stored", async () => {
    const box = sink();
    const seen: string[] = [];
    const editor = plugin("editor", ({ hooks }) => {
      hooks.data.tap("editor", (message) => {
        message.addField("X-One", "1");
        message.replaceField("Subject", "changed");
        message.removeField("X-Drop");
        expect(() => message.addField("Bad Name", "x")).toThrow(TypeError);
        expect(() => message.replaceField("X", "a\r\nb")).toThrow(TypeError);
      });
      hooks.data.tapPromise("reader", async (message) => {
        seen.push(
          message.fields.map(({ name }) => name).join(" "),
          String(message.octets === (await message.bytes()).length),
        );
        let octets = 0;
        for await (const piece of message.open()) octets += piece.length;
        seen.push(String(octets === message.octets));
      });
    });
    const { say, hear } = await open({ plugins: [box, editor] });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA", "X-Drop: 1", "Subject: x", "X-Drop: 2", "", "text", ".");
    await hear(11);
    expect(seen).toEqual(["X-One Received Subject", "true", "true"]);
    expect(box.messages[0]?.text).toMatch(
      /^X-One: 1\r\nReceived: from client\.test [\s\S]*\r\nSubject: changed\r\n\r\ntext\r\n$/,
    );
  });

  test("edits of a tap that failed, or came late, are forgotten", async () => {
    const box = sink();
    const bad = plugin(
      "bad",
      ({ hooks }) => {
        hooks.data.tap("throws", (message) => {
          message.addField("X-Thrown", "1");
          throw new Error("oops");
        });
        hooks.data.tap("late", (message) => queueMicrotask(() => message.addField("X-Late", "1")));
      },
      { onFailure: "ignore" },
    );
    const { say, hear } = await open({ plugins: [box, bad] });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA", "Subject: x", "", "text", ".");
    await hear(11);
    expect(box.messages[0]?.text).not.toMatch(/X-Thrown|X-Late/);
  });

  test.each<[Refusal, string, boolean]>([
    [reject("Spam"), "550 5.7.1 Spam", false],
    [defer("Later"), "451 4.7.1 Later", false],
    [disconnect("Enough"), "421 4.7.0 Enough", true],
  ])("a refusal is the answer: %o", async (refusal, reply, ends) => {
    const box = sink();
    const judge = plugin("judge", ({ hooks }) => hooks.data.tap("judge", () => refusal));
    const { say, hear, wire } = await open({ plugins: [box, judge] });
    say(...opened, "RCPT TO:<joe@example.com>", "DATA", "text", ".");
    expect((await hear(11)).at(-1)).toBe(reply);
    expect([box.messages.length, wire.ended]).toEqual([0, ends]);
  });
});
