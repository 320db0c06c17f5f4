import * as promises from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Files } from "../src/files.ts";
import { mailboxPath } from "../src/index.ts";
import { type MaildirOptions, maildirOn } from "../src/maildir.ts";
import { Client, emptyFolder, serve, storing } from "./server.ts";

/** A file system that writes down what is made durable below `base`, and when. */
function recording(base: string, journal: string[]): Files {
  const short = (path: unknown): string =>
    String(path)
      .slice(base.length + 1)
      .replace(/\d+\.M\d+P.*$/, "<message>");
  return {
    ...promises,
    async open(...args) {
      const file = await promises.open(...args);
      const sync = file.sync.bind(file);
      file.sync = async () => {
        await sync();
        if (args[0].startsWith(base)) journal.push(`sync ${short(args[0])}`);
      };
      return file;
    },
    async rename(from, to) {
      await promises.rename(from, to);
      journal.push(`rename ${short(to)}`);
    },
  };
}

/** A client of a server that stores mail so, and what is made durable below `base` meanwhile. */
async function greeted(base: string, options: MaildirOptions): Promise<{ client: Client; journal: string[] }> {
  const journal: string[] = [];
  const server = await serve(storing(options, maildirOn(recording(base, journal))));
  return { client: await new Client(server).greet(), journal };
}

test("file, then folders on the way, before the 250; all of them once", async () => {
  const base = await emptyFolder();
  const { client, journal } = await greeted(base, { root: join(base, "var", "mail") });
  journal.push(await client.deliver(["jane@example.com"], "Subject: one\r\n\r\none"));
  journal.push(await client.deliver(["jane@example.com"], "Subject: two\r\n\r\ntwo"));
  client.leave();
  const mailbox = "var/mail/example.com/jane";
  expect(journal.map((line) => line.replace(/^250 .*/, "250"))).toEqual([
    "sync var",
    "sync ",
    "sync var/mail",
    "sync var/mail/example.com",
    `sync ${mailbox}`,
    `sync ${mailbox}`,
    `sync ${mailbox}`,
    `sync ${mailbox}/tmp/<message>`,
    `rename ${mailbox}/new/<message>`,
    `sync ${mailbox}/new`,
    "250",
    `sync ${mailbox}/tmp/<message>`,
    `rename ${mailbox}/new/<message>`,
    `sync ${mailbox}/new`,
    "250",
  ]);
});

const remove = (mailbox: string): Promise<void> => promises.rm(mailbox, { recursive: true });

async function makeAnew(mailbox: string): Promise<void> {
  await promises.rename(mailbox, `${mailbox}.old`);
  for (const part of ["cur", "new", "tmp"]) await promises.mkdir(join(mailbox, part), { recursive: true });
}

test.each([
  ["was removed", "though its inode may be the same", remove],
  ["somebody else made anew", "as if it were its own", makeAnew],
])("a mailbox that %s is made durable again, %s", async (_what, _how, change) => {
  const base = await emptyFolder();
  const { client, journal } = await greeted(base, { root: base });
  await client.deliver(["jane@example.com"], "Subject: one\r\n\r\none");
  await change(mailboxPath(base, "jane@example.com"));
  journal.length = 0;
  expect(await client.deliver(["jane@example.com"], "Subject: two\r\n\r\ntwo")).toMatch(/^250 /);
  client.leave();
  expect(journal).toContain("sync example.com");
  expect(journal.filter((line) => line === "sync example.com/jane")).toHaveLength(3);
});

test("a mailbox that gets many messages at once is synced for all that are there by then", async () => {
  const base = await emptyFolder();
  const journal: string[] = [];
  const server = await serve(storing({ root: base }, maildirOn(recording(base, journal))));
  const clients = await Promise.all(Array.from({ length: 20 }, () => new Client(server).greet()));
  await clients[0]?.deliver(["jane@example.com"], "Subject: first\r\n\r\nfirst");
  journal.length = 0;
  const replies = await Promise.all(
    clients.map(async (client) => {
      const reply = await client.deliver(["jane@example.com"], "Subject: one\r\n\r\none");
      journal.push(reply.replace(/^250 .*/, "250"));
      return client.leave();
    }),
  );
  expect(replies).toHaveLength(20);
  const count = (line: string): number => journal.filter((one) => one === line).length;
  expect(count("250")).toBe(20);
  const syncs = count("sync example.com/jane/new");
  expect(syncs).toBeGreaterThan(0);
  expect(syncs).toBeLessThan(20);
  expect(journal.findLastIndex((line) => line.startsWith("rename "))).toBeLessThan(
    journal.lastIndexOf("sync example.com/jane/new"),
  );
});

test("without fsync nothing waits for the disk", async () => {
  const base = await emptyFolder();
  const { client, journal } = await greeted(base, { root: base, fsync: false });
  await client.deliver(["jane@example.com"], "Subject: one\r\n\r\none");
  client.leave();
  expect(journal).toEqual(["rename example.com/jane/new/<message>"]);
});

test("a root that is there is made durable too: who made it may have been killed before it was", async () => {
  const base = await emptyFolder();
  const root = join(base, "mail");
  await promises.mkdir(root);
  const { client, journal } = await greeted(base, { root });
  await client.deliver(["jane@example.com"], "Subject: one\r\n\r\none");
  await client.deliver(["jane@example.com"], "Subject: two\r\n\r\ntwo");
  client.leave();
  expect(journal.filter((line) => line === "sync ")).toHaveLength(1);
  expect(journal.indexOf("sync ")).toBeLessThan(journal.findIndex((line) => line.startsWith("rename ")));
});

test("a mailbox that has become a link since its last mail is refused, and nothing is left behind the link", async () => {
  const base = await emptyFolder();
  const elsewhere = await emptyFolder();
  const server = await serve(storing({ root: base }));
  const client = await new Client(server).greet();
  expect(await client.deliver(["jane@example.com"], "Subject: one\r\n\r\none")).toMatch(/^250 /);
  const jane = mailboxPath(base, "jane@example.com");
  await promises.rename(jane, `${jane}.old`);
  for (const part of ["cur", "new", "tmp"]) await promises.mkdir(join(elsewhere, part));
  await promises.symlink(elsewhere, jane);
  expect(await client.deliver(["jane@example.com"], "Subject: two\r\n\r\ntwo")).toMatch(/^451 /);
  client.leave();
  for (const part of ["new", "tmp"]) expect(await promises.readdir(join(elsewhere, part))).toEqual([]);
});
