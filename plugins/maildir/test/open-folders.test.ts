import * as promises from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Files } from "../src/files.ts";
import { Folders } from "../src/folders.ts";
import { OpenFolders } from "../src/open-folders.ts";
import { emptyFolder } from "./server.ts";

/** The file system, and what is asked of folders in it: their names, with what is done. */
function listening(): { files: Files; asked: string[] } {
  const asked: string[] = [];
  const open: Files["open"] = async (...args) => {
    const file = await promises.open(...args);
    const name = args[0].split("/").slice(-2).join("/");
    asked.push(`open ${name}`);
    for (const call of ["sync", "close"] as const) {
      const real = file[call].bind(file);
      file[call] = async () => {
        asked.push(`${call} ${name}`);
        await real();
      };
    }
    return file;
  };
  return { files: { ...promises, open }, asked };
}

async function folderNew(): Promise<string> {
  const path = join(await emptyFolder(), "new");
  await promises.mkdir(path);
  return path;
}

/** Another folder comes into the place of that one. */
async function replace(path: string): Promise<void> {
  await promises.rename(path, `${path}.old`);
  await promises.mkdir(path);
}

test("a folder stays open while anybody is on the way into it", async () => {
  const { files, asked } = listening();
  const path = await folderNew();
  const folders = new OpenFolders(files, true);
  folders.enter(path);
  folders.enter(path);
  const identity = await folders.sync(path);
  expect(await folders.sync(path)).toBe(identity);
  await folders.leave(path);
  expect(await folders.sync(path)).toBe(identity);
  await folders.leave(path);
  const did = asked.map((line) => line.split(" ")[0]);
  expect(did).toEqual(["open", "sync", "sync", "sync", "close"]);
});

test("nobody on the way, or too many folders: it is closed at once", async () => {
  const { files, asked } = listening();
  const folders = new OpenFolders(files, true);
  await folders.sync(await folderNew());
  expect(asked).toHaveLength(3);
  const many = await Promise.all(Array.from({ length: 40 }, folderNew));
  for (const path of many) {
    folders.enter(path);
    await folders.sync(path);
  }
  const closed = (): number => asked.filter((line) => line.startsWith("close")).length;
  expect(closed()).toBe(1 + 8);
  for (const path of many) await folders.leave(path);
  expect(closed()).toBe(41);
});

test("a folder that came into the place of the open one is the one that is synced", async () => {
  const { files, asked } = listening();
  const path = await folderNew();
  const folders = new OpenFolders(files, true);
  folders.enter(path);
  const before = await folders.sync(path);
  await replace(path);
  asked.length = 0;
  expect(await folders.sync(path)).not.toBe(before);
  await folders.leave(path);
  expect(asked.map((line) => line.split(" ")[0])).toEqual(["sync", "close", "open", "sync", "close"]);
});

test("a folder that is gone, and one that is a link now, cannot be synced", async () => {
  const { files } = listening();
  const path = await folderNew();
  const folders = new OpenFolders(files, true);
  folders.enter(path);
  await folders.sync(path);
  await promises.rename(path, `${path}.old`);
  await expect(folders.sync(path)).rejects.toThrow("ENOENT");
  await promises.symlink(`${path}.old`, path);
  await expect(folders.sync(path)).rejects.toThrow(/ELOOP|ENOTDIR/);
  await folders.leave(path);
});

test("what is settled is durable with all folders on the way, though others have come into their places", async () => {
  const { files, asked } = listening();
  const root = await emptyFolder();
  const place = { steps: ["jane"], subfolder: undefined };
  const folders = new Folders(files, { root, create: true, folderMode: 0o700, fsync: true }, () => 0);
  const maildir = await folders.open(place, []);
  folders.enter(maildir);
  await folders.settle(place, maildir, []);
  await replace(maildir.new);
  asked.length = 0;
  await folders.settle(place, maildir, []);
  expect(asked.at(-1)).toBe("sync jane/new");
  expect(asked.slice(0, -1)).toContain(`sync ${root.split("/").at(-1)}/jane`);
  await folders.leave(maildir);
});
