import { type TranscriptOptions, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { ehlo, quietLog } from "../support/dialogue.ts";

// How clients write commands. Each test is named after a row of what was measured.

/** Holds the dialogue; gives what was delivered, once for each way of cutting. */
async function deliver(dialogue: string, options: TranscriptOptions = {}) {
  const box = sink();
  await transcript({ plugins: [box], log: quietLog, ...options }, dialogue);
  return box.messages;
}

const once = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** What stands behind the commands of a habit: one recipient, one body. */
const rest = `
  C: RCPT TO:<jane@example.com>
  S: 250 2.1.5 *
  C: DATA
  S: 354 *
  C: Subject: habit
  C:
  C: text
  C: .
  S: 250 2.0.0 *
  C: QUIT
  S: 221 *
`;

const withWord = (text: string): string | undefined => /\bwith (\w+)/.exec(text)?.[1];

test("lower-case `ehlo`, `mail FROM:`, `data` (python smtplib, emailjs)", async () => {
  const messages = await deliver(`
    S: 220 *
    ${ehlo().replace("EHLO client.test", "ehlo [127.0.1.1]")}
    C: mail FROM:<joe@example.com> size=12
    S: 250 2.1.0 *
    C: rcpt TO:<jane@example.com>
    S: 250 2.1.5 *
    C: data
    S: 354 *
    C: Subject: x
    C: .
    S: 250 2.0.0 *
    C: rset
    S: 250 *
    C: Quit
    S: 221 *
  `);
  expect(messages).toHaveLength(3);
});

test("lower-case `size=`; `BODY=8BITMIME` with the 7-bit text too (smtplib, aiosmtplib; mutt, neomutt, nmh)", async () => {
  const messages = await deliver(`
    S: 220 *
    ${ehlo()}
    C: MAIL FROM:<joe@example.com> body=8bitmime size=40
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<joe@example.com> size=40 BODY=8BITMIME
    S: 250 2.1.0 *
    ${rest}
  `);
  expect(messages).toHaveLength(3);
});

test("`SMTPUTF8` on every MAIL once offered, ASCII or not (Go net/smtp, curl)", async () => {
  const messages = await deliver(`
    S: 220 *
    ${ehlo()}
    C: MAIL FROM:<joe@example.com> BODY=8BITMIME SMTPUTF8
    S: 250 2.1.0 *
    ${rest}
  `);
  // The keyword follows the parameter, not the addresses (RFC 6531 section 4.3)
  expect(once(messages.map(({ text }) => withWord(text)))).toEqual(["UTF8SMTP"]);
});

test("HELO although ESMTP exists (s-nail, ssmtp, nullmailer)", async () => {
  const messages = await deliver(`
    S: 220 *
    C: HELO client.test
    S: 250 mx.example.com
    C: MAIL FROM:<joe@example.com>
    S: 250 2.1.0 *
    ${rest}
  `);
  expect(once(messages.map(({ text }) => withWord(text)))).toEqual(["SMTP"]);
});

const received = async (name: string): Promise<string | undefined> => {
  const messages = await deliver(`
    S: 220 *
    ${ehlo().replace("client.test", name)}
    C: MAIL FROM:<joe@example.com>
    S: 250 2.1.0 *
    ${rest}
  `);
  return once(messages.map(({ text }) => /^Received: from (.*)\r\n/.exec(text)?.[1]))[0];
};

describe("the name in EHLO", () => {
  test("EHLO with an unqualified name (`vm`) (esmtp, sendEmail, mailutils)", async () => {
    expect(await received("vm")).toBe("vm ([192.0.2.1])");
    expect(await received("DESKTOP-4F2K9Q1")).toBe("DESKTOP-4F2K9Q1 ([192.0.2.1])");
    expect(await received("3f1c9a7be2d0")).toBe("3f1c9a7be2d0 ([192.0.2.1])");
  });

  test("EHLO with the last part of the URL or the uploaded file's name (`msg-1.eml`) (curl)", async () => {
    expect(await received("msg-1.eml")).toBe("msg-1.eml ([192.0.2.1])");
    expect(await received("msg(1).eml")).toBe(String.raw`[192.0.2.1] (helo=msg\(1\).eml)`);
  });

  test("EHLO `[127.0.0.1]`, `[IPv6:::1]`, bare IP, underscore (nodemailer, desktops, devices)", async () => {
    expect(await received("[127.0.0.1]")).toBe("[127.0.0.1] ([192.0.2.1])");
    expect(await received("[IPv6:::1]")).toBe("[IPv6:::1] ([192.0.2.1])");
    expect(await received("192.0.2.77")).toBe("192.0.2.77 ([192.0.2.1])");
    expect(await received("my_printer")).toBe("my_printer ([192.0.2.1])");
    expect(await received("[]")).toBe("[192.0.2.1] (helo=[])");
    expect(await received("büro-pc")).toBe("[192.0.2.1] (helo=b?ro-pc)");
  });
});

test("`MAIL FROM: <a@b>` with a space (Outlook 365, smtp-cli, SmtpClient-for-Qt)", async () => {
  const messages = await deliver(`
    S: 220 *
    ${ehlo()}
    C: MAIL FROM: <joe@example.com> SIZE=20
    S: 250 2.1.0 *
    C: RCPT TO: <jane@example.com>
    S: 250 2.1.5 *
    C: RSET
    S: 250 *
    C: MAIL FROM: <>
    S: 250 2.1.0 *
    ${rest}
  `);
  expect(messages).toHaveLength(3);
});

test("no angle brackets at all (LSI MegaRAID, older clients)", async () => {
  const messages = await deliver(`
    S: 220 *
    C: HELO raid
    S: 250 *
    C: MAIL FROM:joe@example.com
    S: 250 2.1.0 *
    C: RCPT TO:jane@example.com
    S: 250 2.1.5 *
    C: RCPT TO: jill@example.com
    S: 250 2.1.5 *
    ${rest}
  `);
  expect(messages[0]).toMatchObject({
    reversePath: "joe@example.com",
    recipients: ["jane@example.com", "jill@example.com"],
  });
});

test("trailing blanks after commands (telnet users, devices)", () => {
  const blank = " ";
  return deliver(`
    S: 220 *
    C: EHLO client.test${blank}
    ${ehlo().split("\n").slice(1).join("\n")}
    C: MAIL FROM:<joe@example.com>${blank}${blank}
    S: 250 2.1.0 *
    C: RCPT TO:<jill@example.com>${blank}\t
    S: 250 2.1.5 *
    C: RSET${blank}
    S: 250 *
    C: NOOP${blank}
    S: 250 *
    C: MAIL FROM:<joe@example.com> SIZE=5${blank}
    S: 250 2.1.0 *
    C: RCPT TO:<jane@example.com>
    S: 250 2.1.5 *
    C: DATA${blank}
    S: 354 *
    # Behind the dot a blank is content, not the end
    R: text\\r\\n.${blank}\\r\\n.\\r\\n
    S: 250 2.0.0 *
    C: QUIT${blank}
    S: 221 *
  `);
});
