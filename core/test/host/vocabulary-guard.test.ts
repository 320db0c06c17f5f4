import { type Log, definePlugin, nobody, row, type Extension } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { expect, test } from "vitest";

const fail = (): never => {
  throw new Error("broken on purpose");
};

function broken(extension: Extension) {
  const messages: string[] = [];
  const note = (_fields: object, message: string): void => void messages.push(message);
  const log: Log = { debug: () => {}, info: () => {}, warn: note, error: note };
  const plugin = definePlugin({
    name: "broken",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) => host.extend(extension),
  });
  return { messages, options: { plugins: [sink(), plugin()], log } };
}

const greeted = `
  S: 220 *
  C: HELO client.test
  S: 250 *
`;

test("a gate that throws lets nobody through, and the next command is asked anew", async () => {
  const { messages, options } = broken({ gate: (verb) => (verb === "MAIL" ? fail() : undefined) });
  await transcript(
    options,
    `${greeted}
    C: MAIL FROM:<>
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages[0]).toBe("plugin broken failed in its gate: broken on purpose");
});

test("a verb whose syntax or change throws is answered 451, and the session goes on", async () => {
  const { messages, options } = broken({
    verbs: {
      XSYNTAX: row(["ready"], fail, nobody, fail),
      XCHANGE: row(["ready"], (argument) => ({ value: argument }), nobody, fail),
    },
  });
  await transcript(
    options,
    `${greeted}
    C: XSYNTAX
    S: 451 4.3.0 *
    C: XCHANGE
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages).toContain("plugin broken failed in verb XSYNTAX: broken on purpose");
});

test("a keyword that throws is left out, a parameter that throws is refused", async () => {
  const { options } = broken({
    keywords: { XBROKEN: fail },
    mailParameters: { XBAD: { octets: 10, problem: fail } },
  });
  await transcript(
    options,
    `
    S: 220 *
    C: EHLO client.test
    S: 250-mx.example.com *
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: MAIL FROM:<> XBAD=1
    S: 451 4.3.0 *
    C: MAIL FROM:<>
    S: 250 2.1.0 *
  `,
  );
});

test("a mechanism that throws, at its start or later, is answered 451", async () => {
  const { messages, options } = broken({
    mechanisms: [
      { name: "XSTART", start: fail },
      { name: "XNEXT", start: () => ({ challenge: new Uint8Array(), next: fail }) },
    ],
  });
  await transcript(
    options,
    `${greeted}
    C: AUTH XSTART
    S: 451 4.3.0 *
    C: AUTH XNEXT
    S: 334 *
    C: AAAA
    S: 451 4.3.0 *
    C: NOOP
    S: 250 2.0.0 *
  `,
  );
  expect(messages).toContain("plugin broken failed in mechanism XNEXT: broken on purpose");
});

test("a preamble that throws hangs up", async () => {
  const { messages, options } = broken({ preamble: { kind: "read", octets: 4, read: fail } });
  await transcript(
    options,
    `
    R: PING
    S: <close>
  `,
  );
  expect(messages[0]).toBe("plugin broken failed in its preamble: broken on purpose");
});
