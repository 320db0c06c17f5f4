import { generateKeyPairSync } from "node:crypto";
import { dkimSign } from "mailauth/lib/dkim/sign.js";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { crlf, eightBit, plain } from "../support/messages.ts";
import { type RealServer, startServer } from "../support/server.ts";

let server: RealServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const { privateKey, publicKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "der" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

/** The only record there is. */
async function resolver(name: string, type: string): Promise<string[][]> {
  if (name !== "s1._domainkey.example.com" || type !== "TXT")
    throw Object.assign(new Error("no record"), { code: "ENOTFOUND" });
  return [[`v=DKIM1; k=rsa; p=${publicKey.toString("base64")}`]];
}

const signed = async (octets: Buffer): Promise<Buffer> => {
  const options = {
    signatureData: [{ signingDomain: "example.com", selector: "s1", privateKey, canonicalization: "simple/simple" }],
  };
  const { signatures } = await dkimSign(octets, options);
  return Buffer.concat([Buffer.from(signatures), octets]);
};

const results = async (octets: Buffer): Promise<string[]> => {
  const { results: each } = await dkimVerify(octets, { resolver });
  return each.map(({ status }) => status.result);
};

test.each([plain, eightBit])(
  "a DKIM signature over simple/simple verifies in the stored message: $name",
  async ({ octets }) => {
    const message = await signed(crlf(octets));
    expect(await results(message)).toEqual(["pass"]);
    const transport = createTransport({ host: "localhost", port: server.transfer, ignoreTLS: true });
    await transport.sendMail({ envelope: { from: "jane@example.com", to: ["dkim@example.com"] }, raw: message });
    const [stored, ...more] = server.take("example.com", "dkim");
    expect(more).toEqual([]);
    expect(await results(crlf(stored ?? Buffer.alloc(0)))).toEqual(["pass"]);
    // The check would notice one octet
    const broken = Buffer.from((stored ?? Buffer.alloc(0)).toString("latin1").replace("e", "E"), "latin1");
    expect(await results(crlf(Buffer.from(broken.toString("latin1").replace(/.\n$/, "!\n"), "latin1")))).not.toEqual([
      "pass",
    ]);
  },
);
