import { spawnSync } from "node:child_process";
import * as promises from "node:fs/promises";
import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { TestClock } from "@mailhost/testkit";
import { expect, test } from "vitest";
import type { Files } from "../src/files.ts";
import { maildirOn } from "../src/maildir.ts";
import { sweep } from "../src/sweep.ts";
import { uniqueName } from "../src/unique-name.ts";
import { isOver, unasked } from "./processes.ts";
import { Client, emptyFolder, filesBelow, serve, storing } from "./server.ts";

const hours = 60 * 60 * 1000;

async function makeMaildir(path: string): Promise<string> {
  for (const name of ["cur", "new", "tmp"]) await mkdir(join(path, name), { recursive: true });
  return path;
}

async function leave(path: string, hoursOld: number): Promise<void> {
  await writeFile(path, "half a mess");
  const at = new Date(Date.now() - hoursOld * hours);
  await utimes(path, at, at);
}

const run = (root: string, now = Date.now(), files: Files = promises, complaints: string[] = []): Promise<number> => {
  const complain = (folder: string): void => void complaints.push(folder.slice(root.length + 1));
  return sweep({ files, root, depth: 3, now, signal: new AbortController().signal, complain });
};

test("what is older than 36 hours goes, from folders of tags too, and nothing else", async () => {
  const root = await emptyFolder();
  const jane = await makeMaildir(join(root, "example.com", "jane"));
  const shop = await makeMaildir(join(jane, ".shop"));
  for (const folder of [jane, shop]) {
    await leave(join(folder, "tmp", "old"), 37);
    await leave(join(folder, "tmp", "young"), 35);
    await leave(join(folder, "new", "1.mail"), 100);
    await leave(join(folder, "cur", "2.mail"), 100);
  }
  const noMaildir = join(root, "example.com", "tmp");
  await mkdir(noMaildir);
  await leave(join(noMaildir, "old"), 100);
  expect(await run(root)).toBe(2);
  expect(filesBelow(root)).toEqual(
    [
      ...["", ".shop/"].flatMap((folder) =>
        ["cur/2.mail", "new/1.mail", "tmp/young"].map((file) => `example.com/jane/${folder}${file}`),
      ),
      "example.com/tmp/old",
    ].toSorted(),
  );
});

test("what a dead process of this host left goes at once, what a living one writes stays", async () => {
  const root = await emptyFolder();
  const tmp = join(await makeMaildir(join(root, "example.com", "jane")), "tmp");
  const { pid: dead } = spawnSync(process.execPath, ["-e", ""]);
  const own = uniqueName(Date.now());
  const nameOf = (pid: number, seconds = Math.floor(Date.now() / 1000)): string =>
    own.replace(/^\d+/, String(seconds)).replace(/P\d+Q/, `P${pid}Q`);
  const stays = [own, nameOf(process.ppid), nameOf(dead).replace(hostname(), "elsewhere"), `${dead}.other-server`];
  // Process 1 of a container that was started again: the same number, before this process was
  const earlier = nameOf(process.pid, 1_000_000_000).replace(/R[0-9a-f]{16}/, "R0123456789abcdef");
  const goes = [nameOf(dead), earlier];
  for (const name of [...stays, ...goes]) await leave(join(tmp, name), 0);
  expect(await run(root)).toBe(goes.length);
  expect(filesBelow(tmp)).toEqual(stays.toSorted());
});

test.skipIf(process.platform !== "linux")(
  "what a killed process left goes, though nobody asked for its end",
  async () => {
    const root = await emptyFolder();
    const tmp = join(await makeMaildir(join(root, "example.com", "jane")), "tmp");
    const pid = await unasked();
    const name = uniqueName(Date.now()).replace(/P\d+Q/, `P${pid}Q`);
    await leave(join(tmp, name), 0);
    await expect.poll(() => isOver(pid), { timeout: 5000 }).toBe(true);
    expect(await run(root)).toBe(1);
    expect(filesBelow(tmp)).toEqual([]);
  },
);

test("links are not followed", async () => {
  const root = await emptyFolder();
  const elsewhere = await makeMaildir(await emptyFolder());
  await leave(join(elsewhere, "tmp", "old"), 100);
  await symlink(elsewhere, join(root, "example.com"));
  const jane = await makeMaildir(join(root, "example.org", "jane"));
  await symlink(join(elsewhere, "tmp", "old"), join(jane, "tmp", "old"));
  expect(await run(root, Date.now() + 100 * hours)).toBe(0);
  expect(filesBelow(elsewhere)).toEqual(["tmp/old"]);
});

test("a server sweeps when it starts, by its own clock", async () => {
  const root = await emptyFolder();
  const tmp = join(await makeMaildir(join(root, "example.com", "jane")), "tmp");
  await leave(join(tmp, "left"), 0);
  await serve({ ...storing({ root }), clock: new TestClock(Date.now() + 37 * hours) });
  await expect.poll(() => filesBelow(tmp)).toEqual([]);
});

test("nobody waits for the sweep: a server listens and delivers while it looks at its first folder", async () => {
  const root = await emptyFolder();
  let looked = 0;
  const files: Files = {
    ...promises,
    opendir(path) {
      if (path !== root) return promises.opendir(path);
      looked += 1;
      return new Promise(() => {});
    },
  };
  const client = await new Client(await serve(storing({ root }, maildirOn(files)))).greet();
  expect(await client.deliver(["jane@example.com"], "Subject: x\r\n\r\ntext")).toMatch(/^250 2\.0\.0/);
  expect(looked).toBe(1);
  client.leave();
});

const denied = (): Promise<never> => Promise.reject(Object.assign(new Error("EACCES"), { code: "EACCES" }));

test("a folder that cannot be read does not keep the others dirty", async () => {
  const root = await emptyFolder();
  await mkdir(join(root, "lost+found"));
  for (const domain of ["example.com", "example.org", "example.net"])
    await leave(join(await makeMaildir(join(root, domain, "jane")), "tmp", "old"), 37);
  const files: Files = {
    ...promises,
    opendir: (path) => (path.endsWith("lost+found") ? denied() : promises.opendir(path)),
    unlink: (path) => (path.includes("example.org") ? denied() : promises.unlink(path)),
  };
  const complaints: string[] = [];
  expect(await run(root, Date.now(), files, complaints)).toBe(2);
  expect(complaints.toSorted()).toEqual(["example.org/jane/tmp", "lost+found"]);
});
