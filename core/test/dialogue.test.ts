import { sink, transcript } from "@mailhost/testkit";
import { expect, test } from "vitest";

test("a message is received whole", () => {
  const box = sink();
  return transcript(
    {
      plugins: [box],
      afterwards: () => {
        const message = box.messages.pop();
        expect(message?.text.split("\r\n\r\n").slice(1).join("\r\n\r\n")).toBe("Hello\r\n.dot\r\n");
      },
    },
    `
    S: 220 mx.example.com ESMTP
    C: EHLO client.test
    S: 250-mx.example.com greets 192.0.2.1
    S: 250-PIPELINING
    S: 250-SIZE 26214400
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: MAIL FROM:<jane@example.com>
    S: 250 2.1.0 *
    C: RCPT TO:<joe@example.com>
    S: 250 2.1.5 *
    C: DATA
    S: 354 *
    C: Subject: x
    C:
    C: Hello
    C: ..dot
    C: .
    S: 250 2.0.0 Ok: queued as *
    C: QUIT
    S: 221 2.0.0 Bye
    S: <close>
  `,
  );
});
