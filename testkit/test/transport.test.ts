import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Delivery,
  type Host,
  type Plugin,
  type Refusal,
  type Staged,
  definePlugin,
  isRefusal,
  reject,
} from "@mailhost/core";
import { describe, expect, test } from "vitest";
import {
  ContractError,
  type ContractReport,
  type TransportCheckName,
  type TransportContractOptions,
  sink,
  transportContract,
} from "../src/index.ts";
import { folders } from "./folders-plugin.ts";

type Options = TransportContractOptions<Record<string, never>>;

const read = (folder: string): string[] =>
  existsSync(join(folder, "new"))
    ? readdirSync(join(folder, "new")).map((name) => readFileSync(join(folder, "new", name), "latin1"))
    : [];

/** A transport that permits and routes everything to itself. */
const transport = (stage: (delivery: Delivery, host: Host) => Promise<Staged | Refusal> | Staged) => (): Plugin =>
  definePlugin({
    name: "store",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({ transports: [{ kind: "local", phases: "two" }] });
      host.hooks.rcpt.tap("store", (recipient) => {
        recipient.permit("local");
        recipient.routeTo({ transport: host.name });
      });
      host.hooks.queue.for(host.name).tapPromise("store", async (delivery) => {
        const staged = await stage(delivery, host);
        if (isRefusal(staged)) return staged;
        delivery.stage(staged);
      });
    },
  })();

async function failures(
  make: (folder: string) => () => Plugin,
  only: readonly TransportCheckName[],
  options: Partial<Options> = {},
): Promise<Record<string, string>> {
  let folder = "";
  const report: ContractReport = await transportContract(() => make(folder)(), {
    options: (its) => {
      folder = its;
      mkdirSync(join(its, "tmp"), { recursive: true });
      mkdirSync(join(its, "new"), { recursive: true });
      return {};
    },
    visible: read,
    only,
    ...options,
  }).catch((error: unknown) => {
    if (error instanceof ContractError) return error.report;
    throw error;
  });
  return Object.fromEntries(
    report.checks.filter(({ ok }) => !ok).map(({ name, what, mend }) => [name, `${what} | ${mend}`]),
  );
}

test("a sink keeps it, but for what only a disk can", async () => {
  let box = sink();
  const report = await transportContract(() => (box = sink()), { visible: () => box.messages.map(({ text }) => text) });
  expect(report).toMatchObject({ plugin: "sink", passed: 10, failed: 0 });
});

test("a store of files keeps it, whatever fails", async () => {
  const report = await transportContract(folders, {
    options: (folder) => ({ folder }),
    visible: read,
    only: ["full disk", "failing disk"],
  });
  expect(report).toMatchObject({ plugin: "folders", passed: 2, failed: 0 });
});

test("a store of files keeps it when it is killed", { timeout: 60_000 }, async () => {
  const crash = {
    program: new URL("crash-program.ts", import.meta.url),
    execArgv: ["-C", "@mailhost/source", "--import", "tsx"],
  };
  const report = await transportContract(folders, {
    options: (folder) => ({ folder }),
    visible: read,
    crash,
    only: ["crash"],
  });
  expect(report).toMatchObject({ passed: 1, failed: 0 });
  const bad = transportContract(folders, {
    options: (folder) => ({ folder }),
    visible: read,
    crash: { ...crash, program: new URL("crash-program-early.ts", import.meta.url) },
    only: ["crash"],
  });
  await expect(bad).rejects.toThrow(/what was staged when the process was killed is visible/);
});

describe("a transport is found out", () => {
  test("that shows a message before its commit, and leaves it behind", async () => {
    const early = (folder: string) =>
      transport(async (delivery) => {
        const path = join(folder, "new", randomUUID());
        await writeFile(path, await delivery.message.bytes());
        return { commit: () => {}, abort: () => {} };
      });
    const found = await failures(early, ["accepted message", "before the commit", "abort", "dry run", "too late"]);
    expect(Object.keys(found)).toEqual(["before the commit", "abort", "dry run", "too late"]);
    expect(found["before the commit"]).toContain("a message that was staged and not committed is visible");
    expect(found["abort"]).toMatch(/a message that was refused left .*new.*tmp\//s);
    expect(found["too late"]).toContain("staged too late is visible");
  });

  test("that leaves half a message on a full disk", async () => {
    const careless = (folder: string) =>
      transport(async (delivery) => {
        const [tmp, path] = [join(folder, "tmp", delivery.id), join(folder, "new", delivery.id)];
        await using file = await open(tmp, "wx");
        await file.writeFile(await delivery.message.bytes());
        await file.sync();
        return { commit: () => rename(tmp, path), abort: () => rm(tmp) };
      });
    const found = await failures(careless, ["accepted message", "abort", "full disk", "failing disk"]);
    expect(Object.keys(found)).toEqual(["failing disk"]);
    expect(found["failing disk"]).toMatch(/disk operation 2 failed left .*tmp/);
  });

  test("that says 250 and has nothing, or something else", async () => {
    const liar = () => transport(() => ({ commit: () => {}, abort: () => {} }));
    expect((await failures(liar, ["accepted message"]))["accepted message"]).toContain("no reader finds it");
    const decoder = (folder: string) =>
      transport(async (delivery) => {
        const text = new TextDecoder().decode(await delivery.message.bytes());
        return { commit: () => writeFile(join(folder, "new", delivery.id), text), abort: () => {} };
      });
    const found = await failures(decoder, ["accepted message", "content"]);
    expect(Object.keys(found)).toEqual(["content"]);
    expect(found["content"]).toContain("octets that are no text did not come out as sent");
  });

  test("that says 250 although the disk failed", async () => {
    const brave = (folder: string) =>
      transport(async (delivery) => {
        const text = await delivery.message.bytes();
        return { commit: () => writeFile(join(folder, "new", delivery.id), text).catch(() => {}), abort: () => {} };
      });
    const found = await failures(brave, ["accepted message", "full disk", "failing disk"]);
    expect(Object.keys(found)).toEqual(["full disk", "failing disk"]);
    expect(found["full disk"]).toContain("a message on a full disk was answered 250, and no reader finds it");
  });

  test("that gives two messages one name", async () => {
    const single = (folder: string) =>
      transport(async (delivery, host) => {
        const path = join(folder, "new", String(host.clock.now()));
        const text = await delivery.message.bytes();
        return { commit: () => writeFile(path, text), abort: () => rm(path, { force: true }) };
      });
    const found = await failures(single, ["accepted message", "several at once"]);
    expect(Object.keys(found)).toEqual(["several at once"]);
  });

  test("that bounces for good what a disk refused for now", async () => {
    const full = { now: false };
    const hasty = (folder: string) =>
      transport(async (delivery) => {
        if (full.now) return reject("Disk full", { code: 552, status: "5.3.1" });
        const text = await delivery.message.bytes();
        return { commit: () => writeFile(join(folder, "new", delivery.id), text), abort: () => {} };
      });
    const fill = () => {
      full.now = true;
      return () => (full.now = false);
    };
    const found = await failures(hasty, ["full disk"], { full: fill });
    expect(found["full disk"]).toContain("a message on a full disk is answered: 552 5.3.1 Disk full");
  });
});
