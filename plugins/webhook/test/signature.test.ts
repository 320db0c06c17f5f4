import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { expect, test } from "vitest";
import { Endpoint, type Got, memoryLog, replyTo } from "./kit.ts";

const secret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

/** As the specification has it, written anew. */
function verifies({ headers, body }: Got, text: string): boolean {
  const [id, timestamp, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    String(headers[name]),
  );
  const mac = createHmac("sha256", Buffer.from(text.slice("whsec_".length), "base64"));
  const expected = mac.update(`${id}.${timestamp}.`).update(body).digest();
  return (given ?? "").split(" ").some((one) => {
    const octets = Buffer.from(one.replace(/^v1,/, ""), "base64");
    return octets.length === expected.length && timingSafeEqual(octets, expected);
  });
}

const first = ({ got }: Endpoint): Got => got[0] ?? { headers: {}, body: Buffer.alloc(0) };

test.each(["raw", "json"] as const)("a %s request is signed, and a changed one does not verify", async (format) => {
  const endpoint = await Endpoint.open();
  const ours = secret();
  expect(await replyTo({ url: endpoint.url, format, secret: ours }, endpoint)).toMatch(/^250/);
  const got = first(endpoint);
  expect(verifies(got, ours)).toBe(true);
  expect(verifies(got, secret())).toBe(false);
  const body = Buffer.from(got.body);
  body[100] = (body[100] ?? 0) ^ 1;
  expect(verifies({ ...got, body }, ours)).toBe(false);
  for (const name of ["webhook-id", "webhook-timestamp"])
    expect(verifies({ ...got, headers: { ...got.headers, [name]: `${got.headers[name]?.toString()}0` } }, ours)).toBe(
      false,
    );
  // On the host's clock, which stood at the beginning of 2026
  expect(Number(got.headers["webhook-timestamp"]) * 1000).toBeGreaterThanOrEqual(Date.UTC(2026, 0, 1));
});

test("two secrets are two signatures, each enough", async () => {
  const endpoint = await Endpoint.open();
  const [old, young] = [secret(), secret()];
  expect(await replyTo({ url: endpoint.url, secret: [old, young] }, endpoint)).toMatch(/^250/);
  expect(verifies(first(endpoint), old)).toBe(true);
  expect(verifies(first(endpoint), young)).toBe(true);
});

test("each try has a timestamp and a signature of its own", async () => {
  const endpoint = await Endpoint.open((response, number) => void response.writeHead(number < 2 ? 503 : 200).end());
  const ours = secret();
  await replyTo({ url: endpoint.url, secret: ours }, endpoint);
  expect(endpoint.got.map((got) => verifies(got, ours))).toEqual([true, true, true]);
  expect(new Set(endpoint.got.map(({ headers }) => headers["webhook-timestamp"])).size).toBeGreaterThan(1);
  expect(new Set(endpoint.got.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});

test("without a secret nothing is signed", async () => {
  const endpoint = await Endpoint.open();
  await replyTo({ url: endpoint.url, headers: { Authorization: "Bearer abc", "user-agent": "ours" } }, endpoint);
  const { headers } = first(endpoint);
  expect(headers["webhook-signature"]).toBeUndefined();
  expect(headers).toMatchObject({ authorization: "Bearer abc", "user-agent": "ours" });
});

test("a name and a password in the URL are basic authorization, and in no log", async () => {
  const endpoint = await Endpoint.open((response) => void response.writeHead(401).end());
  const { log, lines } = memoryLog();
  const url = endpoint.url.replace("//", "//mail:tr0ub%40dor@");
  expect(await replyTo({ url }, endpoint, { log })).toMatch(/^451 4.3.5/);
  expect(first(endpoint).headers.authorization).toBe(`Basic ${Buffer.from("mail:tr0ub@dor").toString("base64")}`);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toMatch(/tr0ub|t0p-s3cr3t/);
});
