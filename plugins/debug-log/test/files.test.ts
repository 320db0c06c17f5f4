import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { ConfigurationError, type MailhostOptions, mailhost } from "@mailhost/core";
import { Client, client, sink } from "@mailhost/testkit";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { debugLog, readRecord } from "../src/index.ts";
import { type Appendable, FileOutlet } from "../src/file-outlet.ts";
import { Memory } from "./helpers.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "debug-log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const linesOf = (path: string): string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);

describe("files", () => {
  test("are appended to, readable by their owner only, whole when the server has closed", async () => {
    const text = join(folder, "dialogue.log");
    const ndjson = join(folder, "dialogue.ndjson");
    appendFileSync(text, "what was there\n");
    for (const name of ["first.test", "second.test"]) {
      const speaker = await client({ plugins: [sink(), debugLog({ text, ndjson })] });
      await speaker.reply();
      await speaker.ask(`HELO ${name}`);
      await speaker.close();
    }
    const written = linesOf(text);
    expect(written[0]).toBe("what was there");
    expect(written.filter((line) => line.includes("C: HELO")).map((line) => line.slice(-11))).toEqual([
      " first.test",
      "second.test",
    ]);
    expect(linesOf(ndjson).map((line) => readRecord(line)?.type)).not.toContain(undefined);
    expect(statSync(ndjson).mode & 0o777).toBe(0o600);
  });

  test("have no colour, and nothing at all when nothing is wanted", async () => {
    const server = mailhost({ name: "mx.example.com", plugins: [sink(), debugLog({ text: false })] });
    await server.prepare();
    expect(server.generations[0]?.traced).toBe(false); // P8
    await server.close();
  });

  test.each([
    ["missing/dialogue.log", "Create its folder first."],
    ["", "It is a folder: name a file in it."],
  ])("that cannot be opened are a start-up error: %j", async (name, mend) => {
    const path = join(folder, name);
    for (const option of ["text", "ndjson"] as const) {
      const plugins = [sink(), debugLog({ text: false, [option]: path })];
      const error: unknown = await mailhost({ name: "mx.example.com", plugins })
        .prepare()
        .catch((reason: unknown) => reason);
      if (!(error instanceof ConfigurationError)) return expect.unreachable();
      expect(error.problems).toMatchObject([{ code: "BAD_FILE", where: `plugins[1].options.${option}`, mend }]);
      expect(error.message).toContain(path);
    }
  });

  test("one for both is a start-up error", async () => {
    const path = join(folder, "both.log");
    const server = mailhost({ name: "mx.example.com", plugins: [sink(), debugLog({ text: path, ndjson: path })] });
    await expect(server.prepare()).rejects.toThrow("Give each its own file");
  });

  test("are opened anew on reload, and open sessions follow", async () => {
    const ndjson = join(folder, "dialogue.ndjson");
    const options = (): MailhostOptions => ({
      name: "mx.example.com",
      listeners: [{ port: 25 }, { port: 587, mode: "submission" }],
      plugins: [sink(), debugLog({ text: false, ndjson })],
    });
    const server = await mailhost(options()).prepare();
    const speaker = new Client(server);
    await speaker.reply();
    await speaker.ask("HELO before.test");
    await waitFor(() => readFileSync(ndjson, "utf8").includes("before.test"));
    renameSync(ndjson, `${ndjson}.1`);
    await server.reload(options());
    await speaker.ask("HELO after.test");
    await speaker.close();
    expect(readFileSync(`${ndjson}.1`, "utf8")).not.toContain("after.test");
    expect(readFileSync(ndjson, "utf8")).toContain("after.test");
  });
});

const withFile = (path: string): MailhostOptions => ({
  name: "mx.example.com",
  plugins: [sink(), debugLog({ text: false, ndjson: path })],
});

test("a reload that cannot open its file keeps the old one in force", async () => {
  const ndjson = join(folder, "dialogue.ndjson");
  const server = await mailhost(withFile(ndjson)).prepare();
  await expect(server.reload(withFile(join(folder, "missing/dialogue.ndjson")))).rejects.toThrow("Create its folder");
  const speaker = new Client(server);
  await speaker.reply();
  await speaker.close();
  expect(linesOf(ndjson).length).toBeGreaterThan(2);
});

async function waitFor(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !holds(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** A disk that is slow or full when the test says so. */
class Disk implements Appendable {
  text = "";
  broken = false;
  release: (() => void) | undefined;
  slow = false;
  attempts = 0;

  async appendFile(text: string | Uint8Array): Promise<void> {
    this.attempts += 1;
    if (this.slow) await new Promise<void>((resolve) => (this.release = resolve));
    if (this.broken) {
      this.text += String(text).slice(0, 3);
      throw new Error("no space left");
    }
    this.text += String(text);
  }

  async close(): Promise<void> {}
}

const outletOn = (disk: Disk, failures: unknown[]): FileOutlet =>
  new FileOutlet(async () => disk, disk, {
    missing: (lines) => `(${lines} missing)\n`,
    failed: (error) => void failures.push(error),
    most: 100,
  });

const quiet = (): void => {};

describe("a disk", () => {
  test("that is slow costs lines, which are counted, and no memory", async () => {
    const disk = new Disk();
    disk.slow = true;
    const outlet = outletOn(disk, []);
    for (let count = 0; count < 1000; count += 1) outlet.write(`line ${String(count).padStart(4, "0")}\n`);
    disk.slow = false;
    disk.release?.();
    await outlet.close();
    const written = disk.text.split("\n").slice(0, -1);
    expect(written[0]).toBe("line 0000");
    const shown = written.filter((line) => line.startsWith("line")).length;
    expect(shown).toBeLessThanOrEqual(20);
    expect(written).toContain(`(${1000 - shown} missing)`);
  });

  test("gets many lines at once and in order, and soon without being asked", async () => {
    const disk = new Disk();
    const outlet = new FileOutlet(async () => disk, disk, {
      missing: String,
      failed: (error) => expect.unreachable(String(error)),
    });
    const lines = Array.from({ length: 40_000 }, (_, count) => `Grüße, 世界 👋 ${count}\n`);
    for (const line of lines) outlet.write(line);
    await waitFor(() => disk.text.length === lines.join("").length);
    expect(disk.text).toBe(lines.join(""));
    expect(disk.attempts).toBeLessThan(20);
    outlet.write("one more\n");
    await waitFor(() => disk.text.endsWith("one more\n"));
    expect(disk.text.endsWith("39999\none more\n")).toBe(true);
    await outlet.close();
  });

  test("that is full is reported once, and what was lost is counted when there is room again", async () => {
    const disk = new Disk();
    const failures: unknown[] = [];
    const outlet = outletOn(disk, failures);
    disk.broken = true;
    for (let count = 0; count < 5; count += 1) {
      const { attempts } = disk;
      outlet.write(`lost ${count}\n`);
      await waitFor(() => disk.attempts > attempts);
    }
    await waitFor(() => failures.length > 0);
    expect(failures).toHaveLength(1);
    disk.broken = false;
    outlet.write("back again\n");
    await outlet.close();
    expect(disk.text.endsWith("\n(5 missing)\nback again\n")).toBe(true);
    outlet.write("after the end\n");
    expect(disk.text.endsWith("back again\n")).toBe(true);
  });

  test("that is full never disturbs the dialogue", async () => {
    const errors: string[] = [];
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) });
    const speaker = await client({
      plugins: [sink(), debugLog({ text: broken, ndjson: "/dev/full" })],
      log: { debug: quiet, info: quiet, warn: quiet, error: (_fields, message) => void errors.push(message) },
    });
    await speaker.reply();
    for (let count = 0; count < 20; count += 1) {
      expect(await speaker.ask("NOOP")).toEqual(["250 2.0.0 Ok"]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await speaker.close();
    expect(errors.toSorted()).toEqual([
      "debug-log cannot write ndjson to /dev/full",
      "debug-log cannot write text to a stream",
    ]);
  });
});

test("a reader that is slow costs lines, and a reload leaves no listeners behind", async () => {
  const taken: (() => void)[] = [];
  const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void taken.push(done) });
  const options = { name: "mx.example.com", plugins: [sink(), debugLog({ text: slow })] };
  const server = await mailhost(options).prepare();
  for (let count = 0; count < 20; count += 1) await server.reload(options);
  expect(slow.listenerCount("error")).toBe(1);
  const speaker = new Client(server);
  for (let count = 0; count < 9000; count += 1) speaker.send(`NOOP ${"x".repeat(500)}`);
  expect(slow.writableLength).toBeLessThan(9 * 1024 * 1024);
  await speaker.close();
  // What was handed over may still fail: somebody has to listen until it is taken
  expect(slow.listenerCount("error")).toBe(1);
  while (taken.length > 0 || slow.writableLength > 0) {
    for (let done = taken.shift(); done !== undefined; done = taken.shift()) done();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await expect.poll(() => slow.listenerCount("error")).toBe(0);
});

test("a stream that fails when the server has closed does not end the process", async () => {
  const failing: ((error: Error) => void)[] = [];
  const pipe = new Writable({ write: (_chunk, _encoding, done) => void failing.push(done) });
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const speaker = await client({ plugins: [sink(), debugLog({ text: pipe })], log });
  await speaker.reply();
  await speaker.close();
  const ended: unknown[] = [];
  const listen = (error: unknown): void => void ended.push(error);
  process.prependListener("uncaughtException", listen);
  onTestFinished(() => void process.off("uncaughtException", listen));
  failing[0]?.(new Error("EPIPE"));
  await expect.poll(() => pipe.listenerCount("error")).toBe(0);
  expect(pipe.destroyed).toBe(true);
  expect(ended).toEqual([]);
});

test("the same stream may take both, and is left open", async () => {
  const both = new Memory();
  const speaker = await client({ plugins: [sink(), debugLog({ text: both, ndjson: both })] });
  await speaker.close();
  expect(both.writableEnded).toBe(false);
  expect(both.lines.some((line) => readRecord(line)?.type === "open")).toBe(true);
});
