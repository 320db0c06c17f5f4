import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Endpoint, replyTo } from "./kit.ts";
import { verify } from "./verify.ts";

const read = (...path: readonly string[]): string => readFileSync(join(import.meta.dirname, ...path), "utf8");

test("the snippet of the README is the one tested here", () => {
  expect(read("..", "README.md")).toContain(`\`\`\`ts\n${read("verify.ts")}\`\`\`\n`);
});

test("it takes what is ours, whole and fresh, and nothing else", async () => {
  const endpoint = await Endpoint.open();
  const [secret, other] = [32, 32].map((length) => `whsec_${randomBytes(length).toString("base64")}`);
  if (secret === undefined || other === undefined) throw new Error("no secrets");
  expect(await replyTo({ url: endpoint.url, secret: [other, secret] }, endpoint)).toMatch(/^250/);
  const { headers, body } = endpoint.got[0] ?? { headers: {}, body: Buffer.alloc(0) };
  const at = Number(headers["webhook-timestamp"]) * 1000;
  expect(verify(headers, body, secret, at)).toBe(true);
  expect(verify(headers, body, other, at)).toBe(true);
  expect(verify(headers, body, `whsec_${randomBytes(32).toString("base64")}`, at)).toBe(false);
  expect(verify(headers, Buffer.concat([body, body]), secret, at)).toBe(false);
  expect(verify(headers, body, secret, at + 301_000)).toBe(false);
  expect(verify(headers, body, secret, at - 301_000)).toBe(false);
  for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"])
    for (const value of [undefined, "", "x", "NaN", `x${String(headers[name])}`.split(" ")[0]])
      expect(verify({ ...headers, [name]: value }, body, secret, at), `${name}: ${value}`).toBe(false);
});
