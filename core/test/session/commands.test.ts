import { sink, transcript } from "@mailhost/testkit";
import { describe, test } from "vitest";

const hold = (text: string) => transcript(() => ({ plugins: [sink()] }), `S: 220 mx.example.com ESMTP\n${text}`);

const greeting = `
  C: EHLO client.test
  S: 250-mx.example.com greets 192.0.2.1
  S: 250-PIPELINING
  S: 250-SIZE 26214400
  S: 250-8BITMIME
  S: 250-SMTPUTF8
  S: 250 ENHANCEDSTATUSCODES
`;

test("before a greeting only what needs none is answered", () =>
  hold(`
    C: MAIL FROM:<jane@example.com>
    S: 503 5.5.1 Say EHLO or HELO first
    C: RCPT TO:<joe@example.com>
    S: 503 5.5.1 Say EHLO or HELO first
    C: DATA
    S: 503 5.5.1 Say EHLO or HELO first
    C: AUTH PLAIN
    S: 503 5.5.1 Say EHLO or HELO first
    C: NOOP
    S: 250 2.0.0 Ok
    C: RSET
    S: 250 2.0.0 Ok
    C: VRFY joe
    S: 252 2.5.0 *
    C: EXPN staff
    S: 502 5.5.1 *
    C: HELP
    S: 214 2.0.0 Commands: EHLO HELO MAIL RCPT DATA RSET VRFY EXPN HELP NOOP QUIT AUTH
    C: QUIT
    S: 221 2.0.0 Bye
    S: <close>
  `));

test("a recipient needs a sender, a body needs a recipient", () =>
  hold(`
    ${greeting}
    C: RCPT TO:<joe@example.com>
    S: 503 5.5.1 Bad sequence of commands
    C: DATA
    S: 503 5.5.1 Bad sequence of commands
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 Sender ok
    C: DATA
    S: 554 5.5.1 No valid recipients
    C: MAIL FROM:<jane@example.com>
    S: 503 5.5.1 Transaction already open
    C: AUTH PLAIN
    S: 503 5.5.1 Bad sequence of commands
    C: RCPT TO:<joe@example.com>
    S: 250 2.1.5 Recipient ok
    C: MAIL FROM:<jane@example.com>
    S: 503 5.5.1 Transaction already open
    C: RCPT TO:<jack@example.com>
    S: 250 2.1.5 Recipient ok
    C: RSET
    S: 250 2.0.0 Ok
    C: DATA
    S: 503 5.5.1 Bad sequence of commands
    C: MAIL FROM:<>
    S: 250 2.1.0 Sender ok
  `));

describe("a greeting", () => {
  test("ends an open transaction, EHLO and HELO alike", () =>
    hold(`
      C: HELO client.test
      S: 250 mx.example.com
      C: MAIL FROM:<jane@example.com>
      S: 250 2.1.0 *
      C: HELO client.test
      S: 250 mx.example.com
      C: RCPT TO:<joe@example.com>
      S: 503 5.5.1 Bad sequence of commands
      C: MAIL FROM:<jane@example.com>
      S: 250 2.1.0 *
      C: RCPT TO:<joe@example.com>
      S: 250 2.1.5 *
      ${greeting}
      C: DATA
      S: 503 5.5.1 Bad sequence of commands
    `));

  test.each([
    "vm",
    "msg-1.eml",
    "[127.0.0.1]",
    "[IPv6:::1]",
    "192.0.2.1",
    "my_host",
    "a(b",
    "b\u00fccher.example",
    "-",
  ])("takes the name %s", (name) =>
    hold(`
        C: HELO ${name}
        S: 250 mx.example.com
      `),
  );

  test("wants one name of at most 255 characters", () =>
    hold(`
      C: HELO
      S: 501 5.5.4 A name or an address literal is required
      C: EHLO client test
      S: 501 5.5.4 A name or an address literal is required
      C: EHLO ${"x".repeat(256)}
      S: 501 5.5.4 A name or an address literal is required
      C: MAIL FROM:<>
      S: 503 5.5.1 Say EHLO or HELO first
      C: HELO ${"x".repeat(255)}
      S: 250 mx.example.com
    `));

  test("that is refused leaves what was", () =>
    hold(`
      C: HELO client.test
      S: 250 mx.example.com
      C: MAIL FROM:<>
      S: 250 2.1.0 *
      C: EHLO
      S: 501 5.5.4 *
      C: RCPT TO:<joe@example.com>
      S: 250 2.1.5 *
    `));
});

describe("what clients send", () => {
  test("verbs and keywords without case, and blanks at the end", () =>
    hold(`
      C: ehlo client.test  
      S: 250-mx.example.com greets 192.0.2.1
      S: 250-PIPELINING
      S: 250-SIZE 26214400
      S: 250-8BITMIME
      S: 250-SMTPUTF8
      S: 250 ENHANCEDSTATUSCODES
      C: mail from:<jane@example.com> size=100 body=8bitmime
      S: 250 2.1.0 *
      C: rCpT tO:<joe@example.com> 
      S: 250 2.1.5 *
      R: noop\\t\\r\\n
      S: 250 2.0.0 Ok
      R: RSET \\t \\r\\n
      S: 250 2.0.0 Ok
      C: noop anything goes
      S: 250 2.0.0 Ok
      C: quit
      S: 221 2.0.0 Bye
      S: <close>
    `));

  test("a blank before the path, and paths without brackets", () =>
    hold(`
      C: HELO client.test
      S: 250 *
      C: MAIL FROM: <jane@example.com>
      S: 250 2.1.0 *
      C: RCPT TO: joe@example.com
      S: 250 2.1.5 *
      C: RSET
      S: 250 *
      C: MAIL FROM:jane@example.com SIZE=10
      S: 250 2.1.0 *
      C: RCPT TO:<postmaster>
      S: 250 2.1.5 *
      C: RCPT TO:<@a.example,@b.example:joe@example.com>
      S: 250 2.1.5 *
    `));
});

test("arguments where none is due, and none where one is", () =>
  hold(`
    C: HELO client.test
    S: 250 *
    C: RSET x
    S: 501 5.5.4 No argument is allowed
    C: QUIT now
    S: 501 5.5.4 No argument is allowed
    C: VRFY
    S: 501 5.5.4 An argument is required
    C: AUTH
    S: 501 5.5.4 An argument is required
    C: MAIL
    S: 501 5.5.4 Syntax: MAIL FROM:<address> [parameters]
    C: MAIL FROM
    S: 501 5.5.4 Syntax: MAIL FROM:<address> [parameters]
    C: MAIL FROM:
    S: 501 5.1.7 Bad sender address syntax
    C: MAIL FROM:<>
    S: 250 *
    C: DATA x
    S: 501 5.5.4 No argument is allowed
  `));

test("RCPT wants a path it understands", () =>
  hold(`
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<>
    S: 250 *
    C: RCPT
    S: 501 5.5.4 Syntax: RCPT TO:<address> [parameters]
    C: RCPT TO:
    S: 501 5.1.3 Bad recipient address syntax
    C: RCPT TO:<>
    S: 501 5.1.3 Bad recipient address syntax
    C: RCPT TO:<joe@example.com>SIZE=1
    S: 501 5.1.3 Bad recipient address syntax
    C: RCPT TO:<joe@example.com> XFOO=1
    S: 555 5.5.4 Parameter not recognized
    C: RCPT TO:<joe@example.com> SIZE=1
    S: 555 5.5.4 Parameter not recognized
    C: RCPT TO:<joe@example.com>
    S: 250 2.1.5 *
  `));

test("parameters of MAIL", () =>
  hold(`
    ${greeting}
    C: MAIL FROM:<> SIZE=26214401
    S: 552 5.3.4 Message too big
    C: MAIL FROM:<> SIZE=99999999999999999999
    S: 552 5.3.4 Message too big
    C: MAIL FROM:<> BODY=BINARYMIME
    S: 501 5.5.4 Bad parameter value
    C: MAIL FROM:<> SIZE=1 BODY=7BIT size=1
    S: 501 5.5.4 Parameter given twice
    C: MAIL FROM:<> AUTH=<>
    S: 555 5.5.4 Parameter not recognized
    C: MAIL FROM:<> RET=FULL
    S: 555 5.5.4 Parameter not recognized
    C: MAIL FROM:<> SMTPUTF8 BODY=8BITMIME SIZE=26214400
    S: 250 2.1.0 *
  `));

describe("SMTPUTF8", () => {
  test("is needed by addresses beyond ASCII, in MAIL and in RCPT", () =>
    hold(`
      ${greeting}
      C: MAIL FROM:<j\u00fcrgen@example.com>
      S: 553 5.6.7 Address needs SMTPUTF8
      C: MAIL FROM:<jane@b\u00fccher.example>
      S: 553 5.6.7 Address needs SMTPUTF8
      C: MAIL FROM:<jane@example.com>
      S: 250 2.1.0 *
      C: RCPT TO:<j\u00fcrgen@example.com>
      S: 553 5.6.7 Address needs SMTPUTF8
      C: RCPT TO:<joe@b\u00fccher.example>
      S: 553 5.6.7 Address needs SMTPUTF8
      C: RCPT TO:<joe@xn--bcher-kva.example>
      S: 250 2.1.5 *
      C: RSET
      S: 250 *
      C: MAIL FROM:<j\u00fcrgen@b\u00fccher.example> SMTPUTF8
      S: 250 2.1.0 *
      C: RCPT TO:<j\u00fcrgen@example.com>
      S: 250 2.1.5 *
      C: RCPT TO:<plain@example.com>
      S: 250 2.1.5 *
    `));

  test("octets that are no UTF-8 are refused in any command", () =>
    hold(`
      R: NOOP \\xff\\r\\n
      S: 500 5.5.2 Line holds octets that are not allowed
      R: NOOP \\xc0\\x80\\r\\n
      S: 500 5.5.2 Line holds octets that are not allowed
      R: NOOP \\xed\\xa0\\x80\\r\\n
      S: 500 5.5.2 Line holds octets that are not allowed
      C: NOOP
      S: 250 2.0.0 Ok
    `));
});

test("broken lines are errors, and the next line is read", () =>
  hold(`
    R: NOOP\\n
    S: 500 5.5.2 Lines must end with CRLF
    R: NO\\rOP\\r\\n
    S: 500 5.5.2 Line holds octets that are not allowed
    R: NOOP\\0\\r\\n
    S: 500 5.5.2 Line holds octets that are not allowed
    C: NOOP ${"x".repeat(506)}
    S: 500 5.5.2 Line too long
    C: NOOP ${"x".repeat(505)}
    S: 250 2.0.0 Ok
    R: \\r\\n
    S: 500 5.5.1 Command not recognized
    R: R\u017fET\\r\\n
    S: 500 5.5.1 Command not recognized
    C: NOOP
    S: 250 2.0.0 Ok
  `));

test("a line may be longer by its parameters, and a line without end is one error", () =>
  hold(`
    C: HELO client.test
    S: 250 *
    C: MAIL FROM:<${"x".repeat(240)}@example.com>${" ".repeat(250)} SIZE=100
    S: 250 *
    C: RSET ${"x".repeat(20000)}
    S: 500 5.5.2 Line too long
    C: NOOP
    S: 250 2.0.0 Ok
  `));
