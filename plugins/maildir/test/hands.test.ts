import * as promises from "node:fs/promises";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Files } from "../src/files.ts";
import { Folders } from "../src/folders.ts";
import { OwnHands } from "../src/journal/hands.ts";
import { type Target, bodyStart, finishMessage } from "../src/journal/record.ts";
import { emptyFolder } from "./server.ts";

const target = (local: string): Target => ({
  steps: [local],
  subfolder: undefined,
  name: `of ${local}`,
  top: "Top: 1\n",
});

const recordFor = (body: string, ...targets: readonly Target[]): Buffer => {
  const memory = Buffer.from(new SharedArrayBuffer(4096));
  const octets = memory.write(body, bodyStart);
  return memory.subarray(0, finishMessage(memory, 1, { targets, mode: 0o600, body: octets }));
};

const handsOn = (files: Files, root: string): OwnHands => {
  const now = (): number => Date.now();
  const folders = new Folders(files, { root, create: true, folderMode: 0o700, fsync: true }, now);
  return new OwnHands({ files, root, folders, now });
};

test("what is answered is written by nobody any more, though one copy failed long before: its memory is another's then", async () => {
  const root = await emptyFolder();
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const open: Files["open"] = async (...args) => {
    if (args[0].includes("/jane/tmp/")) await held;
    return promises.open(...args);
  };
  const hands = handsOn({ ...promises, open }, root);
  writeFileSync(join(root, "john"), ""); // no mailbox: his copy fails at once
  const record = recordFor("for jane", target("john"), target("jane"));
  const put = hands.put([record]).then((failures) => {
    record.fill("another's mail ");
    return failures;
  });
  setTimeout(goOn, 50); // what fails does so meanwhile
  expect([...(await put).keys()]).toEqual([0]);
  const shown = (): string => readFileSync(join(root, "jane/new/of jane"), "latin1");
  await expect.poll(shown).toBe("Top: 1\nfor jane");
});

test("a copy that is out is not put out again with those that failed: what its reader has deleted stays so", async () => {
  const root = await emptyFolder();
  const hands = handsOn(promises, root);
  const both = recordFor("for both", target("jane"), target("john"));
  writeFileSync(join(root, "john"), "");
  expect([...(await hands.put([both])).keys()]).toEqual([0]);
  rmSync(join(root, "jane/new/of jane"));
  expect([...(await hands.put([both])).keys()]).toEqual([0]);
  rmSync(join(root, "john"));
  expect(await hands.put([both])).toEqual(new Map());
  expect(readdirSync(join(root, "john/new"))).toEqual(["of john"]);
  expect(readdirSync(join(root, "jane/new"))).toEqual([]);
});
