/** A certificate and its private key, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Milliseconds it is good for, before and after it is made: clocks are turned in tests. */
const lifetime = 10 * 365 * 24 * 60 * 60 * 1000;

let made: Promise<KeyPair> | undefined;

/** One for this process, good for localhost, 127.0.0.1 and ::1. Nobody vouches for it: clients are given it to trust. */
export const selfSigned = (): Promise<KeyPair> => (made ??= make());

async function make(): Promise<KeyPair> {
  // Loaded here, so that nobody else pays for it
  const { generate } = await import("selfsigned");
  const pem = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(Date.now() - lifetime),
    notAfterDate: new Date(Date.now() + lifetime),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
          { type: 7, ip: "::1" },
        ],
      },
    ],
  });
  return { cert: pem.cert, key: pem.private };
}
