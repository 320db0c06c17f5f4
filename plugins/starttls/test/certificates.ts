import { mkdtemp, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "@mailhost/core";
import { generate } from "selfsigned";
import type { CertificateFiles } from "../src/index.ts";

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "mailhost-starttls-"));

/** A pair of PEM texts for a name. */
export async function makePem(name: string): Promise<{ cert: string; key: string }> {
  const { cert, private: key } = await generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
  });
  return { cert, key };
}

/** Writes a pair into a folder, each file in one move. */
export async function makeFiles(folder: string, name: string, as = name): Promise<CertificateFiles> {
  const pem = await makePem(name);
  const files = { cert: join(folder, `${as}.pem`), key: join(folder, `${as}.key`) };
  for (const [path, text] of [
    [files.cert, pem.cert],
    [files.key, pem.key],
  ] as const) {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
  return files;
}

/** A log that remembers its messages, by level. */
export function makeLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (_fields: object, message: string) => void lines.push(`${level}: ${message}`);
  return { log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }, lines };
}
