import { expect, test } from "vitest";
import { type Served, folder, serve } from "./support.ts";
import { Talk } from "./talk.ts";

// What whoever runs the server reads of each message, without debug-log.

const configuration = JSON.stringify({
  name: "mx.example.com",
  listeners: [{ name: "in", host: "127.0.0.1", port: 0, plugins: [["auth-plain", { verify: null }]] }],
}).replace(
  '{"verify":null}',
  '{ verify: (user, password) => password === "open sesame", allowInsecure: true, failureDelay: 0 }',
);

const module = `export default { ...${configuration}, plugins: [
  ["addressable", { addresses: ["jane@example.com", "joe@example.com"] }],
  ["mux", { routes: { "*@example.com": "maildir" } }],
  ["maildir", { root: "./mail" }],
] };\n`;

interface Entry {
  readonly msg: string;
  readonly [field: string]: unknown;
}

const entries = (served: Served): Entry[] =>
  served
    .err()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter(({ session }: Entry) => session !== undefined);

/** Says the lines one by one, each when the one before is answered, and waits for the end. */
async function dialogue(served: Served, lines: readonly string[]): Promise<void> {
  const talk = new Talk(served.ports[0] ?? 0);
  let heard = (await talk.hears(/\r\n/)).length;
  for (const line of [...lines, "QUIT"]) {
    talk.say(line);
    const all = await talk.hears(new RegExp(`^[^]{${heard}}(?:\\d{3}-[^\\n]*\\n)*\\d{3} [^\\n]*\\n`));
    heard = all.length;
  }
  await talk.closed();
}

const letter = "Subject: hello\r\n\r\nA secret between us.\r\n.";

test("each message that is taken, and each refusal with the plugin that said it", async () => {
  const served = await serve([], { cwd: folder({ "mailhost.config.mjs": module }) });
  await dialogue(served, [
    "EHLO client.test",
    "MAIL FROM:<ann@example.net> SIZE=100",
    "RCPT TO:<jim@example.com>",
    "RCPT TO:<jane@example.com>",
    "RCPT TO:<joe@example.com>",
    "DATA",
    letter,
    "MAIL FROM:<>",
    "RCPT TO:<x@elsewhere.test>",
    "RCPT TO:<jane@example.com>",
    "DATA",
    "Subject: hello\n\r\n.",
  ]);
  await served.until((text) => text.includes("5.6.11"));
  const [unknown, took, relay, bare, ...more] = entries(served);
  expect(unknown).toMatchObject({
    msg: "refused RCPT TO:<jim@example.com> of 127.0.0.1: 550 5.1.1 No such address here (addressable)",
    listener: "in",
    client: "127.0.0.1",
    sender: "<ann@example.net>",
    plugin: "addressable",
    reply: "550 5.1.1 No such address here",
  });
  expect(took).toMatchObject({
    transaction: unknown?.["transaction"],
    session: unknown?.["session"],
    recipients: ["jane@example.com (maildir)", "joe@example.com (maildir)"],
    octets: letter.length + 2,
  });
  expect(took?.msg).toMatch(
    /^took message \w{16} from <ann@example\.net> to jane@example\.com \(maildir\), joe@example\.com \(maildir\)$/,
  );
  expect(relay).toMatchObject({
    msg: "refused RCPT TO:<x@elsewhere.test> of 127.0.0.1: 550 5.7.1 Relaying denied",
    sender: "<>",
  });
  expect(bare?.msg).toMatch(/^refused message \w{16} of 127\.0\.0\.1: 550 5\.6\.11 Bare CR or LF in the message$/);
  expect(bare?.["transaction"]).not.toBe(took?.["transaction"]);
  expect(more).toEqual([]);
});

test("no secrets: not what AUTH says, nor lines that are no commands, nor bodies", async () => {
  const served = await serve([], { cwd: folder({ "mailhost.config.mjs": module }) });
  const login = (password: string): string => Buffer.from(`\0jane\0${password}`).toString("base64");
  const secrets = [login("wrong"), "hunter2", "hunter3", "hunter4", "hunter5", "hunter6", "hunter7"];
  await dialogue(served, [
    "EHLO client.test",
    `AUTH PLAIN ${login("wrong")}`,
    "AUTH PLAIN",
    login("wrong"),
    "hunter2 is it",
    "Mail me: hunter3",
    "VRFY",
    `AUTH PLAIN ${login("open sesame")}`,
    "MAIL FROM:<ann@example.net>",
    "RCPT TO:<jim@example.com>",
    "DATA",
    "Subject: hunter4",
    "hunter5",
    "hunter6",
    "hunter7",
  ]);
  await served.until((text) => text.includes("the session of"));
  const told = served.err();
  for (const secret of [...secrets, login("open sesame"), "open sesame"]) expect(told).not.toContain(secret);
  const said = entries(served).map(({ msg }) => msg);
  expect(said).toContain("refused AUTH of 127.0.0.1: 535 5.7.8 Authentication credentials invalid");
  expect(said).toContain("refused a line of 127.0.0.1: 500 5.5.1 Command not recognized");
  expect(said).toContain("refused VRFY of 127.0.0.1: 501 5.5.4 An argument is required");
  expect(said).toContain("closed the session of 127.0.0.1: 421 4.7.0 Too many unknown commands");
  expect(entries(served).find(({ msg }) => msg.includes("RCPT"))).toMatchObject({ user: "jane" });
});

test("octets that paint a terminal are shown as numbers", async () => {
  const served = await serve([], { cwd: folder({ "mailhost.config.mjs": module }) });
  await dialogue(served, ["EHLO client.test", "MAIL FROM:<> SMTPUTF8", "RCPT TO:<j\u202Ei@example.com>"]);
  await served.until((text) => text.includes("RCPT"));
  expect(served.err()).not.toContain("\u202E");
  expect(served.err()).toContain(String.raw`j\\u{202e}i@example.com`);
});

test("after a reload too, once", async () => {
  const files = { "mailhost.config.mjs": module };
  const served = await serve([], { cwd: folder(files) });
  served.process.kill("SIGHUP");
  await served.until((text) => text.includes("configuration reloaded"));
  const lines = ["EHLO client.test", "MAIL FROM:<>", "RCPT TO:<jim@example.com>"];
  await dialogue(served, lines);
  await served.until((text) => text.includes("refused RCPT"));
  expect(entries(served).length).toBe(1);
  expect(served.out()).not.toContain("(this command)");
});
