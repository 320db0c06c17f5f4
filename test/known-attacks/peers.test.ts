import { debugLog } from "@mailhost/plugin-debug-log";
import { mux } from "@mailhost/plugin-mux";
import { client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { Memory, ehlo, emptyChallenge, janesPassword, quietLog } from "../support/dialogue.ts";
import { SocketClient, listen } from "../support/socket.ts";

// What was seen by running other servers, and what crosses over from other protocols.

const taking = () => ({ plugins: [sink()], limits: { errors: 100, unknownCommands: 100 }, log: quietLog });

describe("verbs folded by Unicode rules (`RſET` ran as RSET)", () => {
  test("only A to Z are folded", () =>
    transcript(
      taking,
      `
      S: 220 *
      C: EHLO client.test
      ${ehlo().split("\n").slice(1).join("\n")}
      C: MAIL FROM:<joe@example.net>
      S: 250 2.1.0 *
      C: RſET
      S: 500 5.5.1 *
      C: maıl from:<joe@example.net>
      S: 500 5.5.1 *
      C: ＲＳＥＴ
      S: 500 5.5.1 *
      C: rset\u00a0
      S: 500 5.5.1 *
      C: RSET\u2028
      S: 500 5.5.1 *
      C: \ufeffRSET
      S: 500 5.5.1 *
      # The transaction is still there; in the control it goes
      C: RCPT TO:<jane@example.com>
      S: 250 2.1.5 *
      C: rSet
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: 503 5.5.1 *
    `,
    ));

  test("nor are parameters", () =>
    transcript(
      taking,
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<joe@example.net> ſIZE=1
      S: 501 5.5.4 *
      C: MAIL FROM:<joe@example.net> BODY=8BıTMIME
      S: 501 5.5.4 *
      C: MAIL FROM:<joe@example.net> size=1 body=8bitMIME
      S: 250 2.1.0 *
    `,
    ));

  test("nor local parts: a Kelvin sign is no k", () =>
    transcript(
      () => ({ plugins: [mux({ routes: { "frank@example.com": () => {} } })], log: quietLog }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<> SMTPUTF8
      S: 250 *
      C: RCPT TO:<fran\u212a@example.com>
      S: 550 5.1.1 *
      C: RCPT TO:<FRANK@example.com>
      S: 250 2.1.5 *
    `,
    ));
});

test("EHLO that does not clear the transaction", async () => {
  for (const greeting of [ehlo(), "C: HELO client.test\nS: 250 *"])
    await transcript(
      taking,
      `
      S: 220 *
      ${ehlo()}
      C: MAIL FROM:<joe@example.net>
      S: 250 2.1.0 *
      C: RCPT TO:<jane@example.com>
      S: 250 2.1.5 *
      ${greeting}
      C: DATA
      S: 503 5.5.1 *
      C: RCPT TO:<jane@example.com>
      S: 503 5.5.1 *
      C: MAIL FROM:<jill@example.net>
      S: 250 2.1.0 *
    `,
    );
});

test("an EHLO that was refused leaves the transaction (RFC 5321 §4.1.4)", () =>
  transcript(
    taking,
    `
    S: 220 *
    ${ehlo()}
    C: MAIL FROM:<joe@example.net>
    S: 250 2.1.0 *
    C: EHLO
    S: 501 5.5.4 *
    C: RCPT TO:<jane@example.com>
    S: 250 2.1.5 *
  `,
  ));

test("the final dot and the next command in one segment", async () => {
  const box = sink();
  await transcript(
    { plugins: [box], log: quietLog },
    String.raw`
    S: 220 *
    C: HELO client.test
    S: 250 *
    R: MAIL FROM:<a@example.net>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\n
    S: 250 2.1.0 *
    S: 250 2.1.5 *
    S: 354 *
    R: one\r\n.\r\nMAIL FROM:<b@example.net>\r\nRCPT TO:<jill@example.com>\r\nDATA\r\n
    S: 250 2.0.0 *
    S: 250 2.1.0 *
    S: 250 2.1.5 *
    S: 354 *
    R: two\r\n.\r\nQUIT\r\n
    S: 250 2.0.0 *
    S: 221 *
    S: <close>
  `,
  );
  expect(box.messages.slice(0, 2).map(({ reversePath, text }) => [reversePath, text.slice(-5)])).toEqual([
    ["a@example.net", "one\r\n"],
    ["b@example.net", "two\r\n"],
  ]);
  expect(box.messages).toHaveLength(6);
});

describe("pipelining where none is allowed (RFC 2920 section 3.1)", () => {
  test("behind EHLO and HELO: answered in order, as devices and scripts need it", () =>
    transcript(
      taking,
      String.raw`
      S: 220 *
      R: HELO printer\r\nMAIL FROM:<scan@example.com>\r\nNOOP\r\n
      S: 250 *
      S: 250 2.1.0 *
      S: 250 *
    `,
    ));

  test("behind DATA: the body, or nobody's once DATA was refused and errors are too many", async () => {
    const box = sink();
    const refuses = sink({ everything: false });
    const body = "DATA\\r\\nSubject: x\\r\\n\\r\\nVRFY jane\\r\\nMAIL FROM:<evil@example.net>\\r\\n.\\r\\n";
    await transcript(
      () => ({ plugins: [box], log: quietLog }),
      `
      S: 220 *
      R: HELO client.test\\r\\nMAIL FROM:<joe@example.net>\\r\\nRCPT TO:<jane@example.com>\\r\\n${body}
      S: 250 *
      S: 250 2.1.0 *
      S: 250 2.1.5 *
      S: 354 *
      S: 250 2.0.0 *
    `,
    );
    expect(box.messages.map(({ text }) => text.includes("MAIL FROM:<evil@example.net>"))).toEqual([true, true, true]);
    await transcript(
      () => ({ plugins: [refuses], log: quietLog }),
      `
      S: 220 *
      R: HELO client.test\\r\\nMAIL FROM:<joe@example.net>\\r\\nRCPT TO:<jane@example.com>\\r\\n${body}
      S: 250 *
      S: 250 2.1.0 *
      S: 550 5.7.1 *
      S: 554 5.5.1 *
      S: 500 5.5.1 *
      S: 500 5.5.1 *
      S: 252 *
      S: 503 5.5.1 Transaction already open
      S: 500 5.5.1 *
      R: ${"a line of the body\\r\\n".repeat(10)}
      S: 500 5.5.1 *
      S: 421 4.7.0 *
      S: <close>
    `,
    );
    expect(refuses.messages).toEqual([]);
  });

  test("behind AUTH: the answer to its challenge, whatever it looks like", () =>
    transcript(
      () => ({ plugins: [janesPassword({ allowInsecure: true }), sink()], log: quietLog }),
      String.raw`
      S: 220 *
      R: HELO client.test\r\nAUTH PLAIN\r\nMAIL FROM:<joe@example.net>\r\nRCPT TO:<jane@example.com>\r\n
      S: 250 *
      ${`S: ${emptyChallenge}`}
      S: 501 5.5.2 *
      S: 503 5.5.1 *
    `,
    ));

  test("behind QUIT: nobody's", () =>
    transcript(
      taking,
      String.raw`
      S: 220 *
      R: HELO client.test\r\nQUIT\r\nMAIL FROM:<joe@example.net>\r\n
      S: 250 *
      S: 221 *
      S: <close>
    `,
    ));
});

describe("an HTTP POST run as a dialogue (ALPACA, cross-protocol POST)", () => {
  test.each(["GET", "POST", "CONNECT", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "TRACE", "post"])(
    "%s ends it at once, and nothing behind it is run",
    async (verb) => {
      const box = sink();
      const request = `${verb} / HTTP/1.1\r\nHost: mx.example.com:25\r\nContent-Type: text/plain\r\n\r\n`;
      const dialogue =
        "HELO browser\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
      const { port } = await listen({ plugins: [box] });
      const browser = SocketClient.to(port);
      browser.send(request + dialogue);
      expect((await browser.rest()).split("\r\n").map((line) => line.slice(0, 9))).toEqual([
        "220 mx.ex",
        "554 5.5.1",
        "",
      ]);
      expect(box.messages).toEqual([]);
    },
  );

  test("a form posted without a body of lines is over too, behind EHLO as before it", () =>
    transcript(
      taking,
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: POST /evil HTTP/1.0
      S: 554 5.5.1 *
      S: <close>
    `,
    ));

  test("a TLS record on a plain port", () =>
    transcript(
      taking,
      String.raw`
      S: 220 *
      R: \x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03
      S: 554 5.5.1 *
      S: <close>
    `,
    ));
});

describe("control octets echoed in replies", () => {
  const control = "\x01\x07\b\x1b[2J\x7f\u0085\u009b31m\u202e\u00fc";

  test("every reply is printable ASCII, whatever the client says", async () => {
    const speaker = await client({ ...taking(), plugins: [sink(), janesPassword({ allowInsecure: true })] });
    for (const line of [
      control,
      `EHLO ${control}`,
      "EHLO \u009b31m\u202e",
      `NOOP ${control}`,
      `VRFY \u009b\u202e`,
      `HELP \u0085`,
      `MAIL FROM:<\u009b\u202e@example.net>`,
      `MAIL FROM:<\u202e@\u202e.example> SMTPUTF8`,
      `MAIL FROM:<a@example.net> \u009b=\u202e`,
      `AUTH \u009b\u202e`,
      `\u009b\u202e`,
      "MAIL FROM:<a@example.net>",
      `RCPT TO:<\u202e@example.com>`,
    ])
      speaker.send(line);
    expect(await speaker.heard(15)).toBe(true);
    for (const line of speaker.lines) expect(line).toMatch(/^[\t\x20-\x7e]*$/);
    await speaker.close();
  });

  test("nor do they reach the terminal that shows the dump", async () => {
    const text = new Memory();
    const speaker = await client({ ...taking(), plugins: [sink(), debugLog({ text, body: "all" })] });
    for (const line of [
      "EHLO \u009b31m\u202e",
      "MAIL FROM:<\u009b@example.net> SMTPUTF8",
      "MAIL FROM:<a@example.net>",
      "RCPT TO:<jane@example.com>",
      "DATA",
      `Subject: ${control}\r\n\r\n${control}\r\n.`,
    ])
      speaker.send(line);
    await speaker.heard(12);
    await speaker.close();
    expect(text.text).toContain("Subject: ");
    // oxlint-disable-next-line no-control-regex -- control octets are what must not be there
    expect(text.text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
  });
});

test("XCLIENT, XFORWARD and PROXY from strangers change nothing", () =>
  transcript(
    taking,
    `
    S: 220 *
    C: PROXY TCP4 198.51.100.7 192.0.2.25 4000 25
    S: 500 5.5.1 *
    C: EHLO client.test
    S: 250-mx.example.com greets 192.0.2.1
    ${ehlo().split("\n").slice(2).join("\n")}
    C: XCLIENT ADDR=127.0.0.1 LOGIN=jane
    S: 500 5.5.1 *
    C: XFORWARD ADDR=127.0.0.1
    S: 500 5.5.1 *
    R: \\r\\n\\r\\n\\0\\r\\nQUIT\\n\\x21\\x11\\0\\x0c\\r\\n
    S: 500 *
    S: 500 *
    S: 500 *
    S: 500 *
    S: 500 *
    C: EHLO client.test
    S: 250-mx.example.com greets 192.0.2.1
    ${ehlo().split("\n").slice(2).join("\n")}
  `,
  ));
