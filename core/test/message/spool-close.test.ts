import { type open, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { Spool } from "../../src/message/spool.ts";
import { place } from "../support/spool.ts";

// Files that are closed and then say that they could not be: some network file systems do
vi.mock("node:fs/promises", async (original) => {
  const real = await original<{ open: typeof open }>();
  const failing: typeof open = async (...at) => {
    const file = await real.open(...at);
    const close = file.close.bind(file);
    file.close = async () => {
      await close();
      throw new Error("EIO");
    };
    return file;
  };
  return { ...real, open: failing };
});

test("a file that cannot be closed changes no answer", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mailhost-spool-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const spool = new Spool(place(0, 0, folder));
  spool.write(new Uint8Array(1000));
  await spool.finish();
  await expect(spool.dispose()).resolves.toBeUndefined();
});
