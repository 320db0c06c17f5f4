import { type Command, type Extension, last, nobody, reject, replies, row } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { upgrading } from "../support/auth.ts";
import { open, opened, plugin, recorder } from "../support/dialogue.ts";

const extending = (extension: Extension) => plugin("extending", (host) => host.extend(extension));
const hold = (extension: Extension, text: string) =>
  transcript(() => ({ plugins: [sink(), extending(extension)], log: recorder() }), `S: 220 *\n${text}`);

const anything = (argument: string) => ({ value: argument });
const echo: Command = last(["new", "ready"], anything, nobody, (state, argument) => ({
  go: "on",
  reply: { code: 250, text: `You said ${argument}` },
  state,
}));

describe("an extension", () => {
  test("gives keywords, verbs and parameters", () =>
    hold(
      {
        keywords: { xecho: () => "", XSIZE: (session) => session.client.address, XNEVER: () => undefined },
        verbs: { xecho: echo },
        mailParameters: {
          XTAG: { octets: 20, problem: (value) => (value === "bad" ? replies.badParameter : undefined) },
        },
        rcptParameters: { NOTIFY: { octets: 28, problem: () => undefined } },
      },
      `
      C: XECHO a
      S: 250 You said a
      C: EHLO client.test
      S: 250-mx.example.com *
      S: 250-PIPELINING
      S: 250-SIZE *
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250-ENHANCEDSTATUSCODES
      S: 250-XECHO
      S: 250 XSIZE 192.0.2.1
      C: xEcHo  two words
      S: 250 You said two words
      C: MAIL FROM:<> XTAG=bad
      S: 501 5.5.4 Bad parameter value
      C: MAIL FROM:<> xtag=good
      S: 250 *
      C: XECHO a
      S: 503 5.5.1 Bad sequence of commands
      C: RCPT TO:<joe@example.com> NOTIFY=NEVER
      S: 250 *
      C: RCPT TO:<joe@example.com>${" ".repeat(513)}
      S: 250 *
      C: RCPT TO:<joe@example.com>${" ".repeat(514)}
      S: 500 5.5.2 Line too long
      `,
    ));

  test("a row may say no by itself; syntax and sequence count as errors", () =>
    transcript(
      () => ({
        plugins: [
          sink(),
          extending({
            verbs: {
              XNO: row(["new"], anything, nobody, (state, code) => ({
                go: "on",
                reply: { code: Number(code), text: "No" },
                state,
              })),
            },
          }),
        ],
        limits: { errors: 2 },
      }),
      `
      S: 220 *
      C: XNO 550
      S: 550 No
      C: XNO 550
      S: 550 No
      C: XNO 503
      S: 503 No
      C: XNO 504
      S: 421 4.7.0 Too many errors
      S: <close>
      `,
    ));

  test("a row may hang up, with its judge's word or its own", () =>
    hold(
      {
        verbs: {
          XBYE: row(["new"], anything, nobody, () => ({ go: "close", reply: { code: 221, text: "So long" } })),
          XJUDGE: row(
            ["new"],
            anything,
            () => ({ problem: { code: 550, text: "No" } }),
            (state) => ({ go: "on", reply: replies.ok, state }),
          ),
          XOUT: row(
            ["new"],
            anything,
            () => ({ problem: { code: 550, text: "Out" }, close: true }),
            (state) => ({ go: "on", reply: replies.ok, state }),
          ),
        },
      },
      `
      C: XJUDGE
      S: 550 No
      C: XOUT
      S: 550 Out
      S: <close>
      `,
    ));

  test("a gate refuses before a row runs, whatever the phase", () =>
    hold(
      {
        gate: (verb, session) =>
          verb === "MAIL" && session.tls === undefined ? { code: 530, status: "5.7.0", text: "TLS first" } : undefined,
      },
      `
      C: MAIL FROM:<>
      S: 530 5.7.0 TLS first
      C: HELO client.test
      S: 250 *
      C: mail nonsense
      S: 530 5.7.0 TLS first
      `,
    ));
});

describe("a change of the layer below", () => {
  test("forgets everything that was said", () =>
    transcript(
      () => ({ plugins: [sink(), upgrading()] }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: XUPGRADE
      S: 220 Go
      C: MAIL FROM:<>
      S: 503 5.5.1 Say EHLO or HELO first
      C: XUPGRADE
      S: 220 Go
      C: HELO client.test
      S: 250 *
      `,
    ));

  test("with octets behind the command closes: they would run inside", async () => {
    const { send, hear, wire } = await open({ plugins: [sink(), upgrading()] });
    send("HELO client.test\r\nXUPGRADE\r\nR");
    expect((await hear()).at(-1)).toBe("503 5.5.1 Nothing may follow this command before its reply");
    expect(wire.ended).toBe(true);
  });

  test("from the first octet comes before the greeting", async () => {
    const preamble = extending({ preamble: { kind: "upgrade", upgrade: { upgrade: "test" } } });
    let cipher: string | undefined;
    const watch = plugin("watch", ({ hooks }) => hooks.connect.tap("watch", ({ tls }) => void (cipher = tls?.cipher)));
    const { hear } = await open({ plugins: [sink(), preamble, watch], listeners: [{ port: 0, tls: "implicit" }] });
    expect(await hear(1)).toEqual(["220 mx.example.com ESMTP"]);
    expect(cipher).toBe("TLS_AES_256_GCM_SHA384");
  });
});

describe("a preamble", () => {
  const decoder = new TextDecoder();
  const reading = extending({
    preamble: {
      kind: "read",
      octets: 40,
      read: (octets) => {
        const text = decoder.decode(octets);
        const end = text.indexOf("\n");
        if (end < 0) return text.startsWith("!") ? null : undefined;
        const [address, port] = text.slice(0, end).split(" ");
        if (address === "keep") return { used: end + 1, client: {} };
        return { used: end + 1, client: { address, port: Number(port), identity: { name: "proxied" } } };
      },
    },
  });
  const seen: unknown[] = [];
  const watch = plugin("watch", ({ hooks }) =>
    hooks.ehlo.tap(
      "watch",
      (_greeting, { client, identity, local }) =>
        void seen.push(client.address, client.port, identity?.name, local.address),
    ),
  );

  test.each([
    ["198.51.100.7 99\nHELO x\r\n", ["198.51.100.7", 99, "proxied", "192.0.2.25"]],
    ["keep\nHELO x\r\n", ["192.0.2.1", 40000, undefined, "192.0.2.25"]],
  ])("%j says who the client is, however it is cut", async (text, who) => {
    for (const pieces of [[text], [...text].slice(0)]) {
      seen.length = 0;
      const { send, hear, wire } = await open({ plugins: [sink(), reading, watch] });
      expect(wire.lines).toEqual([]);
      for (const piece of pieces) send(piece);
      expect(await hear(2)).toEqual(["220 mx.example.com ESMTP", "250 mx.example.com"]);
      expect(seen).toEqual(who);
    }
  });

  test.each(["!", "x".repeat(40), "x".repeat(400)])("%s is none: the server hangs up without a word", async (text) => {
    const { send, wire } = await open({ plugins: [sink(), reading] });
    send(text);
    expect([wire.ended, wire.lines]).toEqual([true, []]);
  });
});

test("a client that is assumed begins anew, and is judged anew", () =>
  transcript(
    () => ({
      plugins: [
        sink(),
        extending({
          verbs: {
            XCLIENT2: last(["new", "ready"], anything, nobody, (_state, address) => ({
              go: "assume",
              client: { address },
            })),
          },
        }),
        plugin("judge", ({ hooks }) =>
          hooks.connect.tap("judge", ({ client }) =>
            client.address === "203.0.113.9" ? reject("Not you") : undefined,
          ),
        ),
      ],
      log: recorder(),
    }),
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com greets 192.0.2.1
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: XCLIENT2 198.51.100.7
    S: 220 mx.example.com ESMTP
    C: MAIL FROM:<>
    S: 503 5.5.1 Say EHLO or HELO first
    C: XCLIENT2 203.0.113.9
    S: 554 5.7.1 Not you
    S: <close>
    `,
  ));

test("what plugins gave is part of every message's dialogue", async () => {
  const { say, hear } = await open({ plugins: [sink(), extending({ verbs: { XECHO: echo } })] });
  say(...opened, "RSET", "HELP");
  expect((await hear(10)).at(-1)).toBe(
    "214 2.0.0 Commands: EHLO HELO MAIL RCPT DATA RSET VRFY EXPN HELP NOOP QUIT AUTH XECHO",
  );
});
