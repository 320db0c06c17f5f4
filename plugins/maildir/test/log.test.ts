import { readdirSync } from "node:fs";
import * as promises from "node:fs/promises";
import { join } from "node:path";
import { TestClock } from "@mailhost/testkit";
import { expect, test } from "vitest";
import type { Files, OpenFile } from "../src/files.ts";
import { Home } from "../src/journal/home.ts";
import { Log } from "../src/journal/log.ts";
import { readJournal } from "../src/journal/reading.ts";
import { bodyStart, finishMessage, kinds, markRecord } from "../src/journal/record.ts";
import type { Entry } from "../src/journal/entry.ts";
import { emptyFolder, filesBelow } from "./server.ts";

function message(number: number): { record: Buffer; entry: Entry } {
  const memory = Buffer.alloc(4096);
  const body = memory.write("Hello", bodyStart);
  const record = memory.subarray(0, finishMessage(memory, number, { targets: [], mode: 0o600, body }));
  const { length } = record;
  const entry = { number, targets: [], length, isOut: false, place: undefined, doubtful: false, shown: () => {} };
  return { record, entry };
}

test("whoever comes while it closes, or later, has a segment that is open: a number is soon another file's", async () => {
  const root = await emptyFolder();
  const late: string[] = [];
  const open: Files["open"] = async (path, ...rest): Promise<OpenFile> => {
    const file = await promises.open(path, ...rest);
    let closed = false;
    for (const call of ["write", "writev", "datasync", "close"] as const) {
      const real = file[call].bind(file) as (...args: unknown[]) => Promise<never>;
      file[call] = (...args: unknown[]) => {
        if (closed) late.push(call);
        closed ||= call === "close";
        return real(...args);
      };
    }
    return file;
  };
  const files: Files = { ...promises, open };
  const log = new Log(files, new Home(files, root, true), true, new TestClock());
  const [first, second, third] = [message(1), message(2), message(3)];
  await log.append(first.record, first.entry);
  const during = log.append(second.record, second.entry);
  await log.close();
  await during;
  await log.append(third.record, third.entry);
  expect(late).toEqual([]);
  const paths = filesBelow(root).map((path) => join(root, path));
  expect((await readJournal(promises, paths)).owed).toHaveLength(3);
  await log.close();
  expect(readdirSync(root)).toHaveLength(1);
});

test("four thousand million messages are no end: their numbers begin anew", async () => {
  const root = await emptyFolder();
  const log = new Log(promises, new Home(promises, root, true), true, new TestClock());
  for (const number of [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1]) {
    const { record, entry } = message(number);
    await log.append(record, entry);
  }
  await log.note(markRecord(kinds.shown, [2 ** 32]));
  await log.close();
  const { owed } = await readJournal(
    promises,
    filesBelow(root).map((path) => join(root, path)),
  );
  expect(owed.map(({ shown }) => shown)).toEqual([true, false, false]);
});
