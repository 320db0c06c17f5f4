import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";

/** A certificate for localhost and 127.0.0.1 with its key, as files of that folder. */
export async function makeCertificate(folder: string): Promise<{ cert: string; key: string }> {
  const names = [
    { type: 2 as const, value: "localhost" },
    { type: 7 as const, ip: "127.0.0.1" },
  ];
  const made = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    curve: "P-256",
    extensions: [{ name: "subjectAltName", altNames: names }],
  });
  const cert = join(folder, "cert.pem");
  const key = join(folder, "key.pem");
  writeFileSync(cert, made.cert);
  writeFileSync(key, made.private);
  return { cert, key };
}
