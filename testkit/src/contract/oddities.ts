import type { Client } from "../client.ts";
import { type Check, unharmed } from "./check.ts";
import { nextSession } from "./dialogues.ts";
import type { Ground } from "./ground.ts";
import { nextTurn } from "./process.ts";

/** Local parts that are legal, and rarely thought of. */
const localParts = [
  "JANE",
  '"a b"',
  '"\\"@\\\\"',
  '".."',
  "jane+tag",
  "jane%elsewhere.test",
  "__proto__",
  "constructor",
  "a/../b",
  "x".repeat(64),
];
const internationalParts = ["ünï", "用户", "e\u0301", "ß", "\u{1f4ec}"];
const otherDomains = ["[192.0.2.1]", "[IPv6:2001:db8::1]", "constructor.test", `${"a".repeat(63)}.test`];

export const unusualAddresses: Check = {
  name: "unusual addresses",
  mend: "A local part is any text: quoted, with blanks, slashes, case and UTF-8 (RFC 5321 §4.1.2, RFC 6531). Keep what is keyed by it in a Map, write it nowhere unescaped.",
  async run(contract) {
    const ground = await contract.ground();
    const domain = contract.to.slice(contract.to.lastIndexOf("@") + 1);
    const plain = [...localParts.map((part) => `${part}@${domain}`), ...otherDomains.map((other) => `jane@${other}`)];
    const utf8 = [...internationalParts.map((part) => `${part}@${domain}`), "jane@bücher.example", "jane@例え.test"];
    const rounds: readonly [string, readonly string[]][] = [
      [`MAIL FROM:<${contract.from}>`, ["postmaster", ...plain]],
      ['MAIL FROM:<"a b"@example.com>', plain],
      ["MAIL FROM:<sender@[192.0.2.1]>", plain],
      [`MAIL FROM:<${contract.from}> SMTPUTF8`, utf8],
      ["MAIL FROM:<jürgen@bücher.example> SMTPUTF8 BODY=8BITMIME", utf8],
    ];
    for (const [mail, recipients] of rounds) {
      const speaker = await ground.greeted();
      await exchange(ground, speaker, mail, recipients);
      ground.leave(speaker);
    }
    ground.during = "";
    return unharmed(await ground.letter(), "unusual addresses", nextSession);
  },
};

/** One transaction with these recipients, and a message to those that were taken. */
async function exchange(ground: Ground, speaker: Client, mail: string, recipients: readonly string[]): Promise<void> {
  ground.during = mail;
  await speaker.ask(mail);
  const taken: string[] = [];
  for (const recipient of recipients) {
    ground.during = `${mail}, RCPT TO:<${recipient}>`;
    if ((await speaker.ask(`RCPT TO:<${recipient}>`))[0]?.startsWith("2") === true) taken.push(recipient);
    // Nobody counts as guessing here
    if (speaker.ended) return;
  }
  if (taken.length === 0) return;
  ground.during = `${mail}, DATA to ${taken.map((recipient) => `<${recipient}>`).join(" ")}`;
  await speaker.ask("DATA");
  await speaker.ask("Subject: hello\r\n\r\nHello\r\n.");
}

/** What arrives as mail, one character per octet. */
const contents: Readonly<Record<string, string>> = {
  "a message of nothing": "",
  "a header and no body": "Subject: x\r\n",
  "a body and no header": "\r\nHello\r\n",
  "text that is no header": "Hello there\r\n",
  "raw UTF-8 in header and body":
    "Subject: \xc3\xbcn\xc3\xaf\r\nFrom: \xe4\xbe\x8b <a@example.com>\r\n\r\n\xf0\x9f\x93\xac\r\n",
  "octets that are no UTF-8": "Subject: \xff\xfe\x80\r\nX-\xff: a\r\n\r\n\xc3\x28\xa0\xa1\xed\xa0\x80\r\n",
  "NUL and control octets": "Subject: a\0b\x1b[2J\r\n\r\n\0\x01\x7f\r\n",
  "a line of 5000 octets": `Subject: ${"x".repeat(5000)}\r\n\r\n${"y".repeat(5000)}\r\n`,
  "fields named like properties": "__proto__: a\r\nconstructor: b\r\ntoString: c\r\nSubject: x\r\n\r\nHello\r\n",
  "every field twice, and folded": "Subject: a\r\n\tb\r\nSubject: c\r\nFrom: a\r\nFrom: b\r\n \r\n\r\nHello\r\n",
  "2000 fields": `${"Received: by mx.test\r\n".repeat(2000)}\r\nHello\r\n`,
  "broken MIME": 'Content-Type: multipart/mixed; boundary="\r\nContent-Transfer-Encoding: base64\r\n\r\n--\r\n====\r\n',
};

export const unusualContent: Check = {
  name: "unusual content",
  mend: "A message is octets: no charset, no header, no line length is promised. Read fields with care, decode nothing that need not be.",
  async run(contract) {
    const ground = await contract.ground();
    const { from, to } = contract;
    for (const [what, text] of Object.entries(contents)) {
      ground.during = what;
      const speaker = await ground.greeted();
      await speaker.deliver({ from, to, text: Buffer.from(text, "latin1") });
      ground.leave(speaker);
    }
    ground.during = "";
    return unharmed(await ground.letter(), "unusual content", nextSession);
  },
};

const nul = "\0".repeat(20);
const hostile: readonly string[] = [
  `${"x".repeat(100_000)}\r\n`,
  `MAIL FROM:<${"x".repeat(3000)}@example.com>\r\n`,
  `NOOP ${nul}\r\n`,
  "MAIL FROM:<a@example.com\r\n\r\n\r\n",
  "MAIL FROM:<a\r@example.com>\nRCPT TO:<b@example.com>\n",
  "MAIL FROM:<\xff\xfe@example.com>\r\n",
  "MAIL FROM:<> SIZE=99999999999999999999 BODY=9BIT X=Y SMTPUTF8=1\r\n",
  "DATA\r\n.\r\n.\r\n.\r\n",
  "EHLO again.test\r\nMAIL FROM:<>\r\nEHLO third.test\r\nDATA\r\nQUIT\r\nNOOP\r\n",
  "GET / HTTP/1.1\r\nHost: mx.example.com\r\n\r\n",
  "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
  "NO\u017fUCH\r\n".repeat(12),
  "VRFY jane\r\nEXPN all\r\nHELP\r\nTURN\r\n",
  "\r\n".repeat(50),
];

export const hostileInput: Check = {
  name: "hostile input",
  mend: "What parses the client's octets answers with a problem and never throws, however long, short or odd they are.",
  async run(contract) {
    const ground = await contract.ground();
    for (const octets of [...hostile, ...hostileWords(ground)]) {
      ground.during = JSON.stringify(octets.slice(0, 60));
      const early = ground.client({ early: Buffer.from(octets, "latin1") });
      const speaker = await ground.greeted();
      speaker.drip(Buffer.from(octets, "latin1"), 997);
      for (let turn = 0; turn < 3; turn += 1) await nextTurn();
      await ground.quiet();
      speaker.endInput();
      await nextTurn();
      ground.leave(speaker);
      ground.leave(early);
    }
    ground.during = "";
    return unharmed(await ground.letter(), "hostile input", nextSession);
  },
};

/** The plugin's own words, said badly. */
function hostileWords({ probe: { words } }: Ground): string[] {
  const said = ["", " ", " x", ` ${nul}`, ` ${"y".repeat(5000)}`, " \xff\xfe", " =\r\n*", " AA==\r\n====\r\n*"];
  const values = ["", "=", "=x", `=${"9".repeat(400)}`, "=+00+ZZ", "=\xff"];
  const verbs = [...words.verbs, ...[...words.mechanisms].map((name) => `AUTH ${name}`)];
  const mail = [...words.mailParameters].map((name) => `MAIL FROM:<> ${name}`);
  const rcpt = [...words.rcptParameters].map((name) => `MAIL FROM:<>\r\nRCPT TO:<jane@example.com> ${name}`);
  return [
    ...verbs.flatMap((verb) => said.map((rest) => `${verb}${rest}\r\n`)),
    ...[...mail, ...rcpt].flatMap((command) => values.map((value) => `${command}${value}\r\n`)),
  ];
}
