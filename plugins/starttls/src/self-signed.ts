import type { SecureContext } from "node:tls";
import { type TlsVersion, makeContext } from "./certificate.ts";

/** Milliseconds a self-signed certificate is good for: it is made anew at every start. */
const lifetime = 30 * 24 * 60 * 60 * 1000;

/** A certificate nobody else vouches for, for `serverName` and this machine's loopback names. */
export async function selfSignedContext(serverName: string, minVersion: TlsVersion): Promise<SecureContext> {
  // Loaded here, so that nobody else pays for it
  const { generate } = await import("selfsigned");
  const pem = await generate([{ name: "commonName", value: serverName }], {
    keyType: "ec",
    algorithm: "sha256",
    notAfterDate: new Date(Date.now() + lifetime),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          ...[...new Set([serverName, "localhost"])].map((value) => ({ type: 2 as const, value })),
          { type: 7, ip: "127.0.0.1" },
          { type: 7, ip: "::1" },
        ],
      },
    ],
  });
  return makeContext(pem.cert, pem.private, minVersion);
}
