import { join } from "node:path";
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { headerOctets } from "../../src/message/header.ts";
import { Message } from "../../src/message/message.ts";
import { MessageReceiver, storageReply } from "../../src/message/receiver.ts";
import type { SpoolPlace } from "../../src/message/spool.ts";
import { replies } from "../../src/protocol/replies.ts";
import { octetsOf, place } from "../support/spool.ts";

async function outcome(text: string, most = 0, where: SpoolPlace = place()): Promise<unknown> {
  const receiver = new MessageReceiver(where, most);
  receiver.write(octetsOf(text));
  const message = await receiver.finish();
  if (message instanceof Message) {
    await message.dispose();
    return message.octets;
  }
  expect(where.budget.taken).toBe(0);
  return message;
}

describe("a message", () => {
  test("may have as many octets as the limit and no more", async () => {
    expect(await outcome("x".repeat(1000), 1000)).toBe(1000);
    expect(await outcome("x".repeat(1001), 1000)).toBe(replies.tooBig);
    expect(await outcome("x".repeat(10_000_000), 0, place(20_000_000))).toBe(10_000_000);
  });

  test("beyond the limit is swallowed and takes no memory", async () => {
    const where = place();
    const receiver = new MessageReceiver(where, 1000);
    for (let times = 0; times < 1000; times += 1) receiver.write(new Uint8Array(900));
    expect(where.budget.taken).toBeLessThanOrEqual(1000);
    expect(receiver.problem).toBe(replies.tooBig);
    expect(receiver.octets).toBe(900_000);
    expect(receiver.full).toBe(false);
    await receiver.drained();
    expect(await receiver.finish()).toBe(replies.tooBig);
    expect(where.budget.taken).toBe(0);
  });

  test("may have a hundred Received fields and no more", async () => {
    expect(await outcome(`${"RECEIVED: x\r\n".repeat(100)}\r\n`)).toBe(1302);
    expect(await outcome(`${"received: x\r\n".repeat(101)}\r\n`)).toBe(replies.tooManyHops);
    expect(await outcome(`A: 1\r\n\r\n${"Received: x\r\n".repeat(200)}`)).toBe(2608);
  });

  test("may have a header section of 256 KiB and no more", async () => {
    expect(await outcome(`A: ${"x".repeat(headerOctets - 5)}\r\n\r\n`)).toBe(headerOctets + 2);
    expect(await outcome(`A: ${"x".repeat(headerOctets)}\r\n\r\n`)).toBe(replies.headerTooBig);
  });

  test("that cannot be stored is refused for now", async () => {
    expect(await outcome("x".repeat(600_000), 0, place(0, 0, join(tmpdir(), "mailhost-missing", "x")))).toBe(
      replies.internal,
    );
  });
});

test("the first problem counts", async () => {
  const receiver = new MessageReceiver(place(), 10);
  receiver.refuse(replies.bareLineEnd);
  receiver.write(octetsOf("x".repeat(100)));
  expect(await receiver.finish()).toBe(replies.bareLineEnd);
});

test("tells when the header section is over", () => {
  const receiver = new MessageReceiver(place(), 0);
  expect(receiver.inHeader).toBe(true);
  receiver.write(octetsOf("A: 1\r\n"));
  expect(receiver.inHeader).toBe(true);
  receiver.write(octetsOf("\r\n"));
  expect(receiver.inHeader).toBe(false);
});

test.each(["ENOSPC", "EDQUOT", "EFBIG"])("%s is a full disk", (code) => {
  expect(storageReply(Object.assign(new Error("no"), { code }))).toBe(replies.noStorage);
});

test.each([
  new Error("no"),
  Object.assign(new Error("no"), { code: "EIO" }),
  "ENOSPC",
  undefined,
  null,
  { code: "ENOSPC" },
])("%o is a local problem", (error) => expect(storageReply(error)).toBe(replies.internal));
