import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the first test that needs tarballs packs them, for all others of this run. */
    packedFolder: string;
  }
}

export default function setup({ provide }: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "mailhost-packed-"));
  provide("packedFolder", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
