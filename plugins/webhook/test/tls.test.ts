import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "selfsigned";
import { expect, onTestFinished, test } from "vitest";
import { Endpoint, memoryLog, replyTo } from "./kit.ts";

const certificate = (ip: string): ReturnType<typeof generate> =>
  generate([{ name: "commonName", value: ip }], {
    keyType: "ec",
    curve: "P-256",
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip }] }],
  });

async function secureEndpoint(ip: string): Promise<{ endpoint: Endpoint; url: string; ca: string }> {
  const { cert, private: key } = await certificate(ip);
  const endpoint = await Endpoint.open(undefined, (listener) => createServer({ cert, key }, listener));
  const folder = mkdtempSync(join(tmpdir(), "mailhost-webhook-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const ca = join(folder, "ca.pem");
  writeFileSync(ca, cert);
  return { endpoint, url: endpoint.url.replace("http:", "https:"), ca };
}

test("a certificate that nobody vouches for gets no mail", async () => {
  const { endpoint, url } = await secureEndpoint("127.0.0.1");
  const { log, lines } = memoryLog();
  expect(await replyTo({ url, retries: 0 }, endpoint, { log })).toMatch(/^451 4.4.1/);
  expect(endpoint.got).toEqual([]);
  expect(lines.join("\n")).toContain("self-signed certificate");
});

test("one that `ca` vouches for does, on every connection", async () => {
  const { endpoint, url, ca } = await secureEndpoint("127.0.0.1");
  expect(await replyTo({ url, ca }, endpoint)).toMatch(/^250/);
});

test("a certificate for another host gets no mail", async () => {
  const { endpoint, url, ca } = await secureEndpoint("127.0.0.2");
  expect(await replyTo({ url, ca, retries: 0, allowInsecure: true }, endpoint)).toMatch(/^451 4.4.1/);
  expect(endpoint.got).toEqual([]);
});
