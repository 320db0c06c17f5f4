import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { maildir } from "@mailhost/plugin-maildir";
import { mux } from "@mailhost/plugin-mux";
import { client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { emptyFolder, filesBelow, janesLogin, janesPassword, quietLog } from "../support/dialogue.ts";
import { outbox } from "../support/outbox.ts";

/** Hands one message to each recipient in turn; gives the last reply to each: of RCPT when that refuses, else of the body. */
async function tell(plugins: readonly Plugin[], recipients: readonly string[], more: object = {}): Promise<string[]> {
  const speaker = await client({ plugins, log: quietLog, limits: { errors: 1000 }, ...more });
  const replies: string[] = [];
  await speaker.line();
  await speaker.ask("EHLO client.test");
  for (const recipient of recipients) {
    await speaker.ask("MAIL FROM:<joe@example.net> SMTPUTF8");
    const [answer = ""] = await speaker.ask(`RCPT TO:<${recipient}>`);
    replies.push(answer.startsWith("250") ? await delivered(speaker) : answer);
    await speaker.ask("RSET");
  }
  await speaker.close();
  return replies;
}

async function delivered(speaker: Awaited<ReturnType<typeof client>>): Promise<string> {
  await speaker.ask("DATA");
  const [answer = ""] = await speaker.ask("Subject: x\r\n.");
  return answer;
}

describe("a local part became a path (CVE-2022-22931): no mailbox is another's, none is outside", () => {
  const nasty = [
    "../../x@example.com",
    "../jane@example.com",
    "/etc/passwd@example.com",
    "jane/../joe@example.com",
    "jane/new/x@example.com",
    "~root@example.com",
    "-rf@example.com",
    "jane+../../joe@example.com",
    "jane+/etc@example.com",
    "jane+.joe@example.com",
    "%2e%2e%2fjoe@example.com",
    "{domain}@example.com",
    "{local}@example.com",
    '".."@example.com',
    '"."@example.com',
    '"../joe"@example.com',
    String.raw`"..\\joe"@example.com`,
    String.raw`"joe\/x"@example.com`,
    '"joe "@example.com',
    '""@example.com',
    "\uff0e\uff0e\uff0fjoe@example.com",
    `${"x".repeat(256)}@example.com`,
    "x@[192.0.2.25]",
    "x@[IPv6:2001:db8::1]",
  ];

  test("every message lies below the root, in a mailbox of its own or its owner's, and joe has none", async () => {
    const folder = emptyFolder();
    const root = join(folder, "a", "mail");
    const plugins = [addressable({ catchAll: true }), maildir({ root, fsync: false })];
    const replies = await tell(plugins, nasty, { default: { local: "maildir" } });
    const stored = filesBelow(folder);
    for (const file of stored)
      expect(file).toMatch(/^a\/mail\/[^/]+\/[^/]+\/(?:\.[^/]+\/)?(?:new|cur|tmp|maildirfolder)/);
    const taken = replies.filter((reply) => reply.startsWith("250")).length;
    expect(stored.filter((file) => file.includes("/new/"))).toHaveLength(taken);
    expect(taken).toBeGreaterThan(nasty.length / 2);
    for (const reply of replies) expect(reply).toMatch(/^250 2\.0\.0|^501 5\.1\.3/);
    expect(readdirSync(join(root, "example.com"))).not.toContain("joe");
    expect(stored.some((file) => file.split("/").includes(".."))).toBe(false);
  });

  test("the control: neighbours whose names begin alike", async () => {
    const root = emptyFolder();
    const plugins = [addressable({ domains: ["example.com"] }), maildir({ root, fsync: false })];
    await tell(plugins, ["jan@example.com", "jane@example.com", "jane.x@example.com", "JANE+tag@example.com"], {
      default: { local: "maildir" },
    });
    expect(readdirSync(join(root, "example.com")).toSorted()).toEqual(["jan", "jane", "jane.x"]);
  });
});

describe("attachment names and local parts reached a shell (CVE-2016-1000282, CVE-2020-7247, CVE-2020-8794)", () => {
  test("no shell anywhere: nothing in core or a plugin starts a program", () => {
    const repository = join(import.meta.dirname, "../..");
    const rooms = ["core", ...readdirSync(join(repository, "plugins")).map((name) => `plugins/${name}`)];
    for (const room of rooms)
      for (const file of filesBelow(join(repository, room, "src")))
        expect(readFileSync(join(repository, room, "src", file), "utf8"), file).not.toMatch(
          /child_process|\beval\(|new Function\(|node:vm/,
        );
  });

  test("such addresses are names like any other", async () => {
    const root = emptyFolder();
    const recipients = ["`touch${IFS}x`@example.com", "|id@example.com", "$(id)@example.com", '";id;"@example.com'];
    const plugins = [addressable({ domains: ["example.com"] }), maildir({ root, fsync: false })];
    const replies = await tell(plugins, recipients, { default: { local: "maildir" } });
    expect(replies.map((reply) => reply.slice(0, 3))).toEqual(["250", "250", "501", "250"]);
    for (const file of filesBelow(root)) expect(file).toMatch(/^example\.com\/[a-z0-9%_+=.{}-]+\/(?:new|cur|tmp)\//);
  });
});

describe("percent, bang, source route, quoted `@`: relay tricks", () => {
  const tricks = [
    "victim@elsewhere.test",
    "VICTIM@ELSEWHERE.TEST",
    '"victim"@elsewhere.test',
    "victim@[203.0.113.5]",
    "victim@[IPv6:2001:db8::5]",
    "@example.com:victim@elsewhere.test",
    "@example.com,@mx.example.com:victim@elsewhere.test",
    "victim@example.com@elsewhere.test",
    "victim@elsewhere.test@example.com",
    "victim@elsewhere.test,jane@example.com",
    "victim@elsewhere.test:jane@example.com",
    "victim@example.com.elsewhere.test",
    "victim@elsewhere.test.",
    "victim@xn--example-.com",
    "victim@notexample.com",
    "victim@sub.example.com",
    "victim@example.com%00.elsewhere.test",
    "victim@\u0435xample.com",
    "postmaster@elsewhere.test",
    '"postmaster"@elsewhere.test',
    "victim",
    "@elsewhere.test",
    "victim@",
  ];
  const gateway = [
    "victim%elsewhere.test@example.com",
    "elsewhere.test!victim@example.com",
    "elsewhere.test!victim%other.test@example.com",
    '"victim@elsewhere.test"@example.com',
    '"victim%elsewhere.test"@example.com',
    '"@elsewhere.test:victim"@example.com',
    String.raw`"victim\@elsewhere.test"@example.com`,
  ];

  test("a stranger's mail for other domains never leaves, whoever judges", async () => {
    for (const judges of [
      () => [addressable({ domains: ["example.com"], relay: { identities: true, networks: ["198.51.100.0/24"] } })],
      () => [mux({ routes: { "*@example.com": "outbox", "*@*": "outbox" } })],
      () => [
        mux({ routes: { "*@example.com": "outbox", "*@*": "outbox" } }),
        addressable({ domains: ["example.com"], relay: { identities: true } }),
      ],
    ]) {
      const out = outbox();
      const replies = await tell([...judges(), out], [...tricks, ...gateway], { default: { relay: "outbox" } });
      for (const [index, reply] of replies.entries())
        expect(reply, [...tricks, ...gateway][index]).toMatch(/^550 5\.7\.1|^550 5\.1\.1|^501 5\.1\.3/);
      expect(out.sent).toEqual([]);
    }
  });

  test("what asks a gateway to pass on is a local name where mail is stored", async () => {
    const box = sink({ everything: false });
    await tell([addressable({ domains: ["example.com"] }), box], gateway, { default: { local: "sink" } });
    for (const { recipients } of box.messages) expect(recipients[0]).toMatch(/@example\.com$/);
  });

  test("the control: mail for the domain, and a user's for others", async () => {
    const out = outbox();
    await transcript(
      () => ({
        plugins: [
          janesPassword({ allowInsecure: true }),
          addressable({ domains: ["example.com"], relay: { identities: true } }),
          out,
        ],
        default: { relay: "outbox" },
        log: quietLog,
      }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<joe@example.net>
      S: 250 *
      C: RCPT TO:<jane@Example.COM>
      S: 250 2.1.5 *
      C: RSET
      S: 250 *
      C: AUTH PLAIN ${janesLogin}
      S: 235 *
      C: MAIL FROM:<jane@example.com>
      S: 250 *
      C: RCPT TO:<victim@elsewhere.test>
      S: 250 2.1.5 *
    `,
    );
  });
});

describe("look-alike and trailing-dot domains", () => {
  const ours = ["example.com", "bücher.example"];

  const alike = [
    // Another letter: as Unicode, as A-label, in capitals
    "ex\u0430mple.com",
    "xn--exmple-4nf.com",
    "XN--EXMPLE-4NF.COM",
    "exampıe.com",
    "examp1e.com",
    "exa\u0301mple.com",
    "EXAMPLƎ.com",
    "bucher.example",
    "buecher.example",
    "xn--bcher-kva.example.elsewhere.test",
    "xn--example.com",
    "xn--.com",
    // Dots before, behind and of other scripts
    "example.com.",
    "example.com..",
    ".example.com",
    "example..com",
    "example.com\u3002",
    "example.com\uff0e",
    "\uff61example.com",
    "example.com\u3002elsewhere.test",
    "example.com\uff0eelsewhere.test",
    "elsewhere.test.example.com",
    "sub\u3002example.com",
    "example\u2024com",
    "example\u2025com",
    "a\u2488example.com",
    // What becomes a slash, an at, a percent, a colon once it is normalised (HostSplit)
    "elsewhere.test\u2100.example.com",
    "elsewhere.test\uff0fexample.com",
    "elsewhere.test\uff20example.com",
    "elsewhere.test\ufe6bexample.com",
    "elsewhere.test\uff05example.com",
    "example.com\uff0felsewhere.test",
    "example.com\uff1f.elsewhere.test",
    "example.com\uff03.elsewhere.test",
    "example.com\uff1a25",
    "example.com:25",
    "example.com%2eelsewhere.test",
    "example.com\\elsewhere.test",
    // Joiners, marks and invisible letters that are not simply dropped
    "exam\u200dple.com",
    "exam\u034fple.com.elsewhere.test",
    "example.com\u202emoc.test",
    // Numbers that some read as an address
    "[127.0.0.1]",
    "[IPv6:::1]",
    "0x7f.1",
    "①27.0.0.1",
    "127.0.0.1",
    "2130706433",
    "localhost",
  ];

  const judges = (): (() => Plugin[])[] => [
    () => [addressable({ domains: ours, relay: { identities: true } })],
    () => [addressable({ addresses: ["victim@example.com", "victim@bücher.example"] })],
    () => [mux({ routes: { "*@example.com": "outbox", "*@bücher.example": "outbox", "*@*": "outbox" } })],
  ];

  test("none is ours: a stranger's mail for it is neither stored nor passed on", async () => {
    for (const judge of judges())
      for (const kind of ["local", "relay"] as const) {
        const out = outbox();
        const box = sink({ everything: false });
        const recipients = alike.map((domain) => `victim@${domain}`);
        const more = { default: { [kind]: kind === "local" ? "sink" : "outbox" }, name: "mx.example.com" };
        const replies = await tell([...judge(), out, box], recipients, more);
        for (const [at, reply] of replies.entries())
          expect(reply, recipients[at]).toMatch(/^550 5\.7\.1|^550 5\.1\.1|^501 5\.1\.3/);
        expect([out.sent, box.messages]).toEqual([[], []]);
      }
  });

  test("the control: ours in every spelling that IDNA takes for the same is ours, in one form", async () => {
    const spelled = ["Example.COM", "ｅｘａｍｐｌｅ．ｃｏｍ", "example。com", "exam\u00adple.com", "BÜCHER.example"];
    const decomposed = ["bu\u0308cher.example", "XN--BCHER-KVA.EXAMPLE"];
    const box = sink({ everything: false });
    const recipients = [...spelled, ...decomposed].map((domain) => `jane@${domain}`);
    const plugins = [addressable({ domains: ours }), box];
    for (const reply of await tell(plugins, recipients, { default: { local: "sink" } })) expect(reply).toMatch(/^250 /);
    expect(new Set(box.messages.flatMap((message) => message.recipients))).toEqual(
      new Set(["jane@example.com", "jane@xn--bcher-kva.example"]),
    );
  });
});

describe("the default without `addressable` is refuse all, never accept all", () => {
  test("a transport alone takes nothing", () =>
    transcript(
      () => ({ plugins: [sink({ everything: false })], default: { local: "sink" }, log: quietLog }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<jane@example.com>
      S: 550 5.7.1 *
      C: RCPT TO:<jane@mx.example.com>
      S: 550 5.7.1 *
      C: RCPT TO:<jane@localhost>
      S: 550 5.7.1 *
      # Every server has one (RFC 5321 section 4.5.1)
      C: RCPT TO:<postmaster>
      S: 250 2.1.5 *
    `,
    ));

  test("nor does a mux whose only pattern is *@*, unless it says catchAll", async () => {
    const recipients = ["jane@example.com", "victim@elsewhere.test"];
    const routes = { "*@*": () => {} };
    expect(await tell([mux({ routes })], recipients)).toEqual(recipients.map(() => "550 5.7.1 Relaying denied"));
    const taken = await tell([mux({ routes, catchAll: true })], recipients);
    for (const reply of taken) expect(reply).toMatch(/^250 2\.0\.0/);
  });
});
