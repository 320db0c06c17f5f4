import * as promises from "node:fs/promises";
import { constants } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blockingFiles } from "../src/blocking-files.ts";
import { calledFiles } from "../src/called-files.ts";
import type { Files } from "../src/files.ts";
import { emptyFolder } from "./server.ts";

/** What came of it: a value, or the code of an error. */
const outcome = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    return (await work()) ?? "done";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code; // each is the file system's
  }
};

/** Everything the plugin asks of a file system, what fails too. */
async function everything(files: Files): Promise<unknown[]> {
  const folder = await emptyFolder();
  const at = (name: string): string => join(folder, name);
  const [made, file, moved, link] = [at("made"), at("made/file"), at("made/moved"), at("link")];
  const told: unknown[] = [];
  const say = async (work: () => Promise<unknown>): Promise<void> => void told.push(await outcome(work));
  await say(() => files.open(file, "wx", 0o600));
  await say(async () =>
    (await files.mkdir(join(made, "deep"), { recursive: true, mode: 0o700 }))?.slice(folder.length),
  );
  await say(() => files.mkdir(made, 0o700));
  const open = await files.open(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  await say(() => files.open(file, "wx", 0o600));
  await say(async () => (await open.write(Buffer.from("-Hello-"), 1, 5)).bytesWritten);
  await say(async () => (await open.write(Buffer.from("J"), 0, 1, 0)).bytesWritten);
  await say(async () => (await open.writev([Buffer.from(" wo"), Buffer.from("rld")], 5)).bytesWritten);
  const octets = Buffer.alloc(20);
  await say(async () => (await open.read(octets, 2, 18, 0)).bytesRead);
  told.push(octets.toString("latin1"));
  await say(() => open.chmod(0o640));
  await say(async () => (await open.stat()).size);
  await say(() => open.sync());
  await say(() => open.datasync());
  await say(() => open.close());
  await say(() => files.access(file, constants.R_OK));
  await say(() => files.utimes(file, 1, 2));
  await say(async () => {
    const { size, mode, atimeMs, mtimeMs } = await files.stat(file);
    return { size, mode, atimeMs, mtimeMs };
  });
  await say(() => files.rename(file, moved));
  await say(() => files.rename(file, moved));
  await say(() => files.chmod(made, 0o750));
  await say(async () => {
    const names: string[] = [];
    for await (const entry of await files.opendir(made))
      names.push(`${entry.name} ${entry.isFile()} ${entry.isDirectory()}`);
    return names.toSorted();
  });
  await promises.symlink(made, link);
  await say(async () => (await files.lstat(link)).isSymbolicLink());
  await say(async () => (await files.stat(link)).isDirectory());
  await say(() => files.open(link, constants.O_RDONLY | constants.O_NOFOLLOW));
  await say(() => files.rmdir(made));
  await say(() => files.unlink(moved));
  await say(() => files.unlink(moved));
  await say(() => files.rmdir(join(made, "deep")));
  await say(() => files.rmdir(made));
  await say(() => files.opendir(made));
  await say(() => files.lstat(made));
  return told;
}

test.each([
  ["block", blockingFiles],
  ["call back", calledFiles],
])("calls that %s do and tell what those of node:fs/promises do", async (_, files) => {
  const told = await everything(files);
  expect(told).toContain("ENOENT");
  expect(told).toContain("ELOOP");
  expect(told).toEqual(await everything(promises));
});
