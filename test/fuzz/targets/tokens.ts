import { speech } from "../../../core/test/laws/speech.ts";

// Words of the language, and what servers were broken with (SECURITY.md): mutations are made of them.

const ends = [
  "\r\n",
  "\r",
  "\n",
  ".",
  "..",
  "\r\n.\r\n",
  "\n.\n",
  "\r.\r",
  "\n.\r\n",
  "\r\n.\n",
  "\r\r\n",
  "\r\n.\r\r\n",
  "\0",
];

export const framingTokens: readonly string[] = [
  ...ends,
  "\r\n..\r\n",
  "\r\n.\r",
  "a",
  "x".repeat(16),
  "x".repeat(512),
];

const mailboxes = [
  "jane@example.com",
  "joe@example.com",
  "jack@example.com",
  "refused@example.com",
  "postmaster",
  '"a b"@example.com',
  '"\\"\\\\"@example.com',
  "jane%elsewhere.test@example.com",
  "elsewhere.test!jane",
  "@hop.test,@[192.0.2.1]:jane@example.com",
  "__proto__@example.com",
  "../../jane@example.com",
  "jane+tag@example.com",
  "jane@[192.0.2.25]",
  "jane@[IPv6:2001:db8::1]",
  "jane@[IPv6:::ffff:192.0.2.1]",
];
const utf8 = [
  "ü",
  "用户",
  "bücher.test",
  "faß.test",
  "\u0130",
  "ſ",
  "\u212a",
  "。",
  "\u00a0",
  "\u202e",
  "\u{1f4e7}",
  "xn--bcher-kva",
  "a\u0301",
].map((text) => Buffer.from(text).toString("latin1"));
const domains = [
  "example.com",
  "EXAMPLE.com.",
  "0x7f.1",
  "a%2eb",
  "127.1",
  "a_b.test",
  "-a.test",
  "x".repeat(63),
  "a.".repeat(100),
];

export const grammarTokens: readonly string[] = [
  ...mailboxes,
  ...mailboxes.map((mailbox) => `<${mailbox}>`),
  ...utf8,
  ...domains,
  ...'<>@,:"\\[]=. \t+-_%!'.split(""),
  "<>",
  "<postmaster>",
  "<@",
  ":",
  "SIZE=",
  "SIZE=1000",
  "BODY=8BITMIME",
  "SMTPUTF8",
  "AUTH=<>",
  "IPv6:",
  "::",
  "[",
  "]",
  "=",
  "==",
  "YQ==",
  "PLAIN",
];

const login = [
  "AUTH PLAIN AGphbmUAb3Blbg==",
  "AUTH LOGIN",
  "AUTH LOGIN amFuZQ==",
  "amFuZQ==",
  "b3Blbg==",
  "AUTH PLAIN",
  "*",
  "=",
].map((line) => `${line}\r\n`);
const courses = [
  "EHLO client.test\r\nMAIL FROM:<jane@example.com>\r\nRCPT TO:<joe@example.com>\r\nDATA\r\n",
  "MAIL FROM:<>\r\nRCPT TO:<joe@example.com>\r\nRCPT TO:<jack@example.com>\r\nDATA\r\nSubject: x\r\n\r\ntext\r\n.\r\n",
  "MAIL FROM:<jane@example.com> SIZE=100 BODY=8BITMIME SMTPUTF8\r\n",
  "Received: from a by b\r\n",
  "X-Refuse: x\r\n",
  ...["Fail", "Add", "Replace", "Remove", "Think", "Rewrite", "Full"].map((name) => `X-${name}: x\r\n`),
  ...["bye", "turtle", "fails", "hook", "hack"].map((name) => `RCPT TO:<${name}@example.com>\r\n`),
  "EHLO refused\r\n",
  "PROXY TCP4 192.0.2.66 192.0.2.2 1 25\r\n",
  "PROXY TCP6 2001:db8::1 2001:db8::2 1 25\r\n",
  "Subject: x\r\n\r\n",
  "QUIT\r\n",
  "GET / HTTP/1.1\r\n",
  "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
  "XCLIENT ADDR=192.0.2.9\r\n",
  "PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
  "BDAT 5 LAST\r\nhello",
  "R\xc5\xbfET\r\n",
];

/** What the dialogue's pieces may say beside octets. */
export const events = ["~wait", "~later", "~late", "~deaf", "~reads", "~end", "~gone", "~drain", "~stop"] as const;
/** Which server it is held with, as the first piece. */
export const houseNames = ["~transfer", "~submission", "~everyday", "~odd"] as const;

export const dialogueTokens: readonly string[] = [
  ...Object.values(speech).flat(),
  ...courses,
  ...login,
  ...ends,
  ...mailboxes,
  ...utf8,
  ...domains,
  ...events,
  ...houseNames,
];
