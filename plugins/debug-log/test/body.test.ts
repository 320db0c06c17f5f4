import { client, sink } from "@mailhost/testkit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BodyPart, HeaderPart } from "../src/body-part.ts";
import { type DebugLogOptions, debugLog, readRecord } from "../src/index.ts";
import { Memory } from "./helpers.ts";

async function held(body: DebugLogOptions["body"], octets: Uint8Array, cut: number): Promise<Memory[]> {
  const text = new Memory();
  const ndjson = new Memory();
  const speaker = await client({ plugins: [sink(), debugLog({ text, ndjson, body })] });
  await speaker.reply();
  for (const line of ["HELO client.test", "MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA"])
    await speaker.ask(line);
  for (let at = 0; at < octets.length; at += cut) speaker.send(octets.subarray(at, at + cut));
  await speaker.reply();
  await speaker.close();
  return [text, ndjson];
}

const bodyOf = (ndjson: Memory | undefined): { octets: number; seen: string } => {
  const records = (ndjson?.lines ?? []).map(readRecord).filter((record) => record?.type === "body");
  return {
    octets: records.reduce((sum, { octets }) => sum + octets, 0),
    seen: records.map(({ base64 = "" }) => Buffer.from(base64, "base64").toString("latin1")).join(""),
  };
};

const message =
  "Subject: plans\r\nTo: jane@example.com,\r\n joe@example.com\r\n\r\nThe treasure is buried\r\n..here\r\n.\r\n";
const encoded = new TextEncoder().encode(message);

describe.each([1, 7, 1000])("a body in cuts of %i octets", (cut) => {
  test("is counted, not shown, unless told otherwise", async () => {
    const [text, ndjson] = await held(undefined, encoded, cut);
    expect(text?.text).toContain(`C: (${message.length} octets)\n`);
    expect(`${text?.text}${ndjson?.text}`).not.toMatch(/treasure|Subject|base64/);
    expect(bodyOf(ndjson)).toEqual({ octets: message.length, seen: "" });
  });

  test("shows its header and no more", async () => {
    const [text, ndjson] = await held("headers", encoded, cut);
    const header = message.slice(0, message.indexOf("The treasure"));
    expect(bodyOf(ndjson)).toEqual({ octets: message.length, seen: header });
    expect(text?.text).toContain("C: Subject: plans\n");
    expect(text?.text).toContain(`C: (${message.length - header.length} octets)\n`);
    expect(text?.text).not.toContain("treasure");
  });

  test("is shown to the octet", async () => {
    const [text, ndjson] = await held("all", encoded, cut);
    expect(bodyOf(ndjson)).toEqual({ octets: message.length, seen: message });
    expect(text?.text).toContain("C: ..here\n");
    expect(text?.text).not.toContain("octets)");
  });
});

test("a message without a header shows nothing under headers", async () => {
  const [text, ndjson] = await held("headers", new TextEncoder().encode("Attack at dawn: bring cake\r\n.\r\n"), 1000);
  expect(bodyOf(ndjson).seen).toBe("");
  expect(text?.text).not.toContain("dawn");
});

const shownOf = (part: BodyPart, chunks: readonly Uint8Array[]): { octets: number; seen: Buffer } => {
  const pieces = [...chunks.map((chunk) => part.push(chunk)), part.end()].filter((piece) => piece !== undefined);
  return {
    octets: pieces.reduce((sum, { octets }) => sum + octets, 0),
    seen: Buffer.concat(pieces.map(({ shown }) => shown)),
  };
};

test("octets come out as they went in, whatever the cuts", () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constant(new TextEncoder().encode("a: b\r\n")),
    fc.constant(new Uint8Array(20_000).fill(0x41)),
  );
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 30 }), (chunks) => {
      const whole = Buffer.concat(chunks);
      const all = shownOf(new BodyPart("T", "all"), chunks);
      expect(all.octets).toBe(whole.length);
      expect(all.seen.equals(whole)).toBe(true);
      expect(shownOf(new BodyPart("T", "off"), chunks)).toEqual({ octets: whole.length, seen: Buffer.alloc(0) });
      const { octets, seen } = shownOf(new BodyPart("T", "headers"), chunks);
      expect(octets).toBe(whole.length);
      expect(seen.equals(whole.subarray(0, new HeaderPart().take(whole)))).toBe(true);
    }),
  );
});

test("many small cuts are few pieces", () => {
  const part = new BodyPart("T", "all");
  const pieces = Array.from({ length: 50_000 }, () => part.push(Uint8Array.of(0x41))).filter(
    (one) => one !== undefined,
  );
  expect(pieces.length).toBeLessThan(5);
});
