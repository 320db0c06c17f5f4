import { readFileSync, statSync } from "node:fs";
import { cp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import maildirDefault, { type MaildirOptions, maildir, mailboxPath } from "../src/index.ts";
import { Client, emptyFolder, everybody, filesBelow, quietLog, serve, stored, storing } from "./server.ts";

const greeting = `
  S: 220 *
  C: EHLO client.test
  S: 250-*
  S: 250-*
  S: 250-*
  S: 250-*
  S: 250-*
  S: 250 *`;

/** A dialogue up to the body, in which these paths are said. */
const dialogue = (from: string, recipients: readonly string[], body: string, reply: string): string => `${greeting}
  C: MAIL FROM:${from}
  S: 250 2.1.0 *
${recipients.map((one) => `  C: RCPT TO:<${one}>\n  S: 250 2.1.5 *\n`).join("")}
  C: DATA
  S: 354 *
${body}
  C: .
  S: ${reply}
  C: QUIT
  S: 221 *
`;

const short = "  C: Subject: hello\n  C:\n  C: Hello.";

/** Holds the dialogue in each of the three ways, each with an empty root. */
async function hold(options: Omit<MaildirOptions, "root">, text: string, look: (root: string) => void): Promise<void> {
  const roots: string[] = [];
  for (const _ of ["lines", "groups", "octets"]) roots.push(await emptyFolder());
  let way = -1;
  const root = (): string => roots[way] ?? "";
  await transcript(() => {
    way += 1;
    return { ...storing({ root: root(), ...options }), afterwards: () => look(root()) };
  }, text);
  expect(way).toBe(2);
}

test("the default export is the plugin", () => expect(maildirDefault).toBe(maildir));

describe("a delivered message", () => {
  test("stands in new, with its trace fields on top and LF line ends", () =>
    hold({}, dialogue("<sender@example.org>", ["jane@example.com"], short, "250 2.0.0 *"), (root) => {
      const mailbox = mailboxPath(root, "jane@example.com");
      expect(mailbox).toBe(join(root, "example.com", "jane"));
      const [text = "", ...others] = stored(mailbox);
      expect(others).toEqual([]);
      expect(text).toMatch(
        /^Return-Path: <sender@example\.org>\nDelivered-To: jane@example\.com\nReceived: from client\.test/,
      );
      expect(text).toMatch(/\nSubject: hello\n\nHello\.\n$/);
      expect(text).not.toContain("\r");
      expect(filesBelow(join(mailbox, "tmp"))).toEqual([]);
      expect(filesBelow(join(mailbox, "cur"))).toEqual([]);
    }));

  test("has a name after the Maildir specification, with its size", () =>
    hold({}, dialogue("<>", ["jane@example.com"], short, "250 2.0.0 *"), (root) => {
      const [path = ""] = filesBelow(root);
      const name = path.slice(path.lastIndexOf("/") + 1);
      const { size, mode } = statSync(join(root, path));
      const host = hostname().replaceAll("/", "\\057").replaceAll(":", "\\072");
      expect(name).toMatch(/^\d{10}\.M\d{1,6}P\d+Q\d+R[0-9a-f]{16}\./);
      expect(name.endsWith(`.${host},S=${size}`)).toBe(true);
      expect(mode & 0o777).toBe(0o600);
      expect(statSync(mailboxPath(root, "jane@example.com")).mode & 0o777).toBe(0o700);
    }));

  test("keeps every octet: dots, eight bits, long lines, text that is no header", () => {
    const body = `  R: no header here\\xe9\\xff\\r\\n..dot\\r\\n${"x".repeat(3000)}\\r\\n \\0\\r\\n\\r\\n\\r\\n`;
    return hold({}, dialogue("<>", ["jane@example.com"], body, "250 2.0.0 *"), (root) => {
      const [text = ""] = stored(mailboxPath(root, "jane@example.com"));
      const end = `\n\nno header here\xe9\xff\n.dot\n${"x".repeat(3000)}\n \0\n\n\n`;
      expect(text.endsWith(end)).toBe(true);
    });
  });

  test("keeps CRLF when told to", () =>
    hold({ crlf: true }, dialogue("<>", ["jane@example.com"], short, "250 2.0.0 *"), (root) => {
      const [text = ""] = stored(mailboxPath(root, "jane@example.com"));
      expect(text).toMatch(/^Return-Path: <>\r\nDelivered-To: jane@example\.com\r\n/);
      expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    }));

  test("keeps case and quoting of the sender in Return-Path", () =>
    hold({}, dialogue('<"Jane \\"J\\" Doe"@Example.ORG>', ["JANE@example.com"], short, "250 2.0.0 *"), (root) => {
      const [text = ""] = stored(mailboxPath(root, "jane@example.com"));
      expect(text.split("\n").slice(0, 2)).toEqual([
        'Return-Path: <"Jane \\"J\\" Doe"@Example.ORG>',
        "Delivered-To: JANE@example.com",
      ]);
    }));

  test("names UTF-8 addresses readably", () =>
    hold({}, dialogue("<jürgen@example.org> SMTPUTF8", ["用户@example.com"], short, "250 2.0.0 *"), (root) => {
      const [path = ""] = filesBelow(root);
      expect(path).toMatch(/^example\.com\/%e7%94%a8%e6%88%b7\/new\//);
      const text = readFileSync(join(root, path), "utf8");
      expect(text).toMatch(/^Return-Path: <jürgen@example\.org>\nDelivered-To: 用户@example\.com\n/);
    }));

  test("for postmaster lies in the server's own domain", () =>
    hold({}, dialogue("<>", ["Postmaster"], short, "250 2.0.0 *"), (root) => {
      const [text = ""] = stored(mailboxPath(root, "postmaster@mx.example.com"));
      expect(text).toContain("\nDelivered-To: postmaster@mx.example.com\n");
    }));

  test("goes to each recipient with its own Delivered-To, once to one named twice", () =>
    hold(
      {},
      dialogue("<>", ["jane@example.com", "john@example.com", "JANE@example.com"], short, "250 2.0.0 *"),
      (root) => {
        const deliveredTo = ["jane", "john"].map((local) =>
          stored(mailboxPath(root, `${local}@example.com`)).map((text) => /Delivered-To: (.*)/.exec(text)?.[1]),
        );
        expect(deliveredTo).toEqual([["jane@example.com"], ["john@example.com"]]);
      },
    ));

  test("may go to the mailbox its nexthop names", async () => {
    const root = await emptyFolder();
    const plugins = [everybody("maildir", "team@example.com"), maildir({ root })];
    await transcript({ plugins }, dialogue("<>", ["sales@example.com"], short, "250 2.0.0 *"));
    expect(stored(mailboxPath(root, "team@example.com"))[0]).toContain("\nDelivered-To: sales@example.com\n");
    expect(filesBelow(root)).toHaveLength(3);
  });

  test("is deferred when the nexthop is no address", async () => {
    const root = await emptyFolder();
    const plugins = [everybody("maildir", "../../etc"), maildir({ root })];
    await transcript({ plugins, log: quietLog }, dialogue("<>", ["sales@example.com"], short, "451 4.3.5 *"));
    expect(filesBelow(root)).toEqual([]);
  });
});

describe("hostile addresses", () => {
  test("stay inside the root", () => {
    const recipients = ['"../../x"@example.com', "/etc/passwd@example.com", '".."@example.com', '"a\\\\b"@example.com'];
    return hold({ tags: "off" }, dialogue("<>", recipients, short, "250 2.0.0 *"), (root) => {
      const mailboxes = filesBelow(root).map((path) => path.replace(/\/new\/[^/]+$/, ""));
      expect(mailboxes).toEqual([
        "example.com/%2e.%2f..%2fx",
        "example.com/%2e.",
        "example.com/%2fetc%2fpasswd",
        "example.com/a%5cb",
      ]);
    });
  });

  test("tags stay inside the mailbox", () =>
    hold({}, dialogue("<>", ['"jane+../../x"@example.com'], short, "250 2.0.0 *"), (root) =>
      expect(filesBelow(root)[0]).toMatch(/^example\.com\/jane\/\.%2e%2e%2f%2e%2e%2fx\/maildirfolder$/),
    ));
});

describe("+tags", () => {
  test("are Maildir++ folders made on demand", () =>
    hold({}, dialogue("<>", ["jane+Shop@example.com", "jane+shop@example.com"], short, "250 2.0.0 *"), (root) => {
      const inbox = mailboxPath(root, "jane@example.com");
      expect(stored(join(inbox, ".shop"))).toHaveLength(1);
      expect(stored(inbox)).toEqual([]);
      expect(filesBelow(join(inbox, ".shop"))).toContain("maildirfolder");
    }));

  test("cannot make folders without end", async () => {
    const root = await emptyFolder();
    const inbox = mailboxPath(root, "jane@example.com");
    for (let count = 0; count < 1000; count += 1) await mkdir(join(inbox, `.${count}`), { recursive: true });
    const recipients = ["jane+one-more@example.com", "jane+7@example.com"];
    await transcript(storing({ root }), dialogue("<>", recipients, short, "250 2.0.0 *"));
    expect(stored(inbox)).toHaveLength(3);
    expect(stored(join(inbox, ".7"))).toHaveLength(3);
  });
});

describe("mailboxes that must exist", () => {
  test("an unknown one is refused at RCPT, and the others get their mail", async () => {
    const root = await emptyFolder();
    const inbox = mailboxPath(root, "jane@example.com");
    await mkdir(inbox, { recursive: true });
    await transcript(
      storing({ root, create: false }),
      `${greeting}
      C: MAIL FROM:<>
      S: 250 2.1.0 *
      C: RCPT TO:<nobody@example.com>
      S: 550 5.1.1 *
      C: RCPT TO:<jane@example.com>
      S: 250 2.1.5 *
      C: DATA
      S: 354 *
      C: .
      S: 250 2.0.0 *
    `,
    );
    expect(stored(inbox)).toHaveLength(3);
    expect(filesBelow(root).every((path) => path.startsWith("example.com/jane/"))).toBe(true);
  });

  test("one that is removed behind RCPT is refused and nothing is left", async () => {
    const root = await emptyFolder();
    const inbox = mailboxPath(root, "jane@example.com");
    await mkdir(inbox, { recursive: true });
    const server = await serve(storing({ root, create: false }));
    const client = await new Client(server).greet();
    expect(await client.deliver(["jane@example.com"], "Subject: hello\r\n\r\nHello.")).toMatch(/^250 /);
    await rm(inbox, { recursive: true });
    expect(await client.deliver(["jane@example.com"], "Subject: hello\r\n\r\nHello.")).toMatch(/^550 5\.1\.1 /);
    client.leave();
    expect(filesBelow(root)).toEqual([]);
  });

  test("a known one gets its mail, and its tags folders", async () => {
    const root = await emptyFolder();
    const inbox = mailboxPath(root, "jane@example.com");
    await mkdir(inbox, { recursive: true });
    const recipients = ["jane@example.com", "jane+shop@example.com"];
    await transcript(storing({ root, create: false }), dialogue("<>", recipients, short, "250 2.0.0 *"));
    expect(stored(inbox)).toHaveLength(3);
    expect(stored(join(inbox, ".shop"))).toHaveLength(3);
  });
});

const sized = (size: number, reply: string): string => `${greeting}
  C: MAIL FROM:<> SIZE=${size}
  S: 250 2.1.0 *
  C: RCPT TO:<jane@example.com>
  S: ${reply}
  C: RSET
  S: 250 *`;

test("a root that is gone is no reason to refuse for good", async () => {
  const root = await emptyFolder();
  const server = await serve(storing({ root, create: false }));
  await rm(root, { recursive: true });
  const client = await new Client(server).greet();
  expect(await client.deliver(["jane@example.com"], "Subject: hello\r\n\r\nHello.")).toBe(
    "451 4.3.0 Temporary local problem",
  );
  client.leave();
});

describe("quota", () => {
  test("a full mailbox is refused at RCPT, its folders count", async () => {
    const root = await emptyFolder();
    const jane = mailboxPath(root, "jane@example.com");
    await mkdir(join(jane, ".shop", "cur"), { recursive: true });
    await writeFile(join(jane, ".shop", "cur", "1.host,S=5:2,S"), "12345");
    await transcript(
      storing({ root, quota: { messages: 1 }, tags: "off" }),
      `${greeting}
      C: MAIL FROM:<>
      S: 250 2.1.0 *
      C: RCPT TO:<jane@example.com>
      S: 452 4.2.2 Mailbox is full
      C: RSET
      S: 250 *`,
    );
  });

  test("octets count, the declared size too", async () => {
    const root = await emptyFolder();
    const jane = mailboxPath(root, "jane@example.com");
    await mkdir(join(jane, "cur"), { recursive: true });
    await writeFile(join(jane, "cur", "1.host:2,S"), "x".repeat(9000));
    const options = storing({ root, quota: { octets: 10_000 } });
    await transcript(options, sized(1000, "250 2.1.5 *"));
    await transcript(options, sized(1001, "452 4.2.2 *"));
  });

  test("what did not declare its size is refused when it is there", async () => {
    const root = await emptyFolder();
    const jane = mailboxPath(root, "jane@example.com");
    await mkdir(join(jane, "new"), { recursive: true });
    await writeFile(join(jane, "new", "1.host,S=9950"), "");
    const recipients = ["john@example.com", "jane@example.com"];
    await transcript(storing({ root, quota: { octets: 10_000 } }), dialogue("<>", recipients, short, "452 4.2.2 *"));
    expect(filesBelow(root)).toEqual(["example.com/jane/new/1.host,S=9950"]);
  });

  test("a message larger than the quota is refused for good", () =>
    hold({ quota: { octets: 100 } }, dialogue("<>", ["jane@example.com"], short, "552 5.2.3 *"), (root) =>
      expect(filesBelow(root)).toEqual([]),
    ));
});

describe("links below the root are not followed", () => {
  test.each(["example.com", "example.com/jane", "example.com/jane/new", "example.com/jane/tmp"])("%s", async (link) => {
    const root = await emptyFolder();
    const elsewhere = await emptyFolder();
    for (const name of ["cur", "new", "tmp", "jane"]) await mkdir(join(elsewhere, name));
    await mkdir(join(root, link, ".."), { recursive: true });
    await symlink(elsewhere, join(root, link));
    await transcript(storing({ root }), dialogue("<>", ["jane@example.com"], short, "451 4.3.0 *"));
    expect(filesBelow(elsewhere)).toEqual([]);
  });

  test.each(["example.com", "example.com/jane", "example.com/jane/new"])(
    "%s, when it becomes one behind a delivery",
    async (link) => {
      const root = await emptyFolder();
      const elsewhere = await emptyFolder();
      const client = await new Client(await start({ root })).greet();
      expect(await client.deliver(["jane@example.com"], "Subject: one\r\n\r\none")).toMatch(/^250 /);
      await cp(join(root, link), elsewhere, { recursive: true });
      await rm(join(root, link), { recursive: true });
      await symlink(elsewhere, join(root, link));
      const before = filesBelow(elsewhere);
      expect(await client.deliver(["jane@example.com"], "Subject: two\r\n\r\ntwo")).toMatch(/^451 4\.3\.0 /);
      client.leave();
      expect(filesBelow(elsewhere)).toEqual(before);
    },
  );

  test("the root itself may be one", async () => {
    const elsewhere = await emptyFolder();
    const root = join(await emptyFolder(), "mail");
    await symlink(elsewhere, root);
    await transcript(storing({ root }), dialogue("<>", ["jane@example.com"], short, "250 2.0.0 *"));
    expect(stored(mailboxPath(elsewhere, "jane@example.com"))).toHaveLength(3);
  });
});

const start = (options: MaildirOptions) => serve(storing(options));

describe("options", () => {
  test("modes are obeyed whatever the umask", () =>
    hold(
      { fileMode: "666", folderMode: 0o2775 },
      dialogue("<>", ["jane@example.com"], short, "250 2.0.0 *"),
      (root) => {
        const [path = ""] = filesBelow(root);
        expect(statSync(join(root, path)).mode & 0o7777).toBe(0o666);
        expect(statSync(mailboxPath(root, "jane@example.com")).mode & 0o7777).toBe(0o2775);
      },
    ));

  test("another pattern, and case that counts", () => {
    const options = { path: "{local}@{domain}/Maildir", caseSensitive: true };
    return hold(options, dialogue("<>", ["Jane@example.com"], short, "250 2.0.0 *"), (root) => {
      const mailbox = mailboxPath(root, "Jane@example.com", options);
      expect(mailbox).toBe(join(root, "%4aane@example.com", "Maildir"));
      expect(stored(mailbox)).toHaveLength(1);
    });
  });

  test("the root is made, with its parents", async () => {
    const root = join(await emptyFolder(), "var", "mail");
    await transcript(storing({ root }), dialogue("<>", ["jane@example.com"], short, "250 2.0.0 *"));
    expect(stored(mailboxPath(root, "jane@example.com"))).toHaveLength(3);
  });

  test("problems are found at start", async () => {
    const folder = await emptyFolder();
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(start({ root: file })).rejects.toThrow(/is no folder/);
    await expect(start({ root: join(folder, "none"), create: false })).rejects.toThrow(/there is no folder/);
    await expect(start({ root: folder, path: "../{local}" })).rejects.toThrow(/inside the root/);
    await expect(start({ root: folder, fileMode: "rw" })).rejects.toThrow(/fileMode/);
    await expect(start({ root: "" })).rejects.toThrow(/root/);
  });

  test("starting makes no folder", async () => {
    const root = join(await emptyFolder(), "mail");
    await serve(storing({ root }));
    expect(() => statSync(root)).toThrow(/ENOENT/);
  });
});
