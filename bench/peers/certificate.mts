// One certificate for all servers that do not make their own: P-256, as the plugin's self-signed one.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Writes it into that folder, and gives the paths. */
export async function certificateIn(folder: string): Promise<Certificate> {
  const made = await generate([{ name: "commonName", value: "mx.example.com" }], {
    keyType: "ec",
    algorithm: "sha256",
  });
  const paths = { cert: join(folder, "tls_cert.pem"), key: join(folder, "tls_key.pem") };
  writeFileSync(paths.cert, made.cert);
  writeFileSync(paths.key, made.private, { mode: 0o644 });
  return paths;
}
