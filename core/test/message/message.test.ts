import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Message, makeField, sameName } from "../../src/message/message.ts";
import { MessageReceiver } from "../../src/message/receiver.ts";
import { cuts } from "../support/cuts.ts";
import { latin1, octetsOf, place } from "../support/spool.ts";

async function receive(text: string, at: readonly number[] = []): Promise<Message> {
  const receiver = new MessageReceiver(place(), 0);
  for (const piece of cuts(octetsOf(text), at)) if (piece.length > 0) receiver.write(piece);
  const message = await receiver.finish();
  if (!(message instanceof Message)) throw new Error(`refused: ${String(message.text)}`);
  return message;
}

const text = async (message: Message): Promise<string> => {
  const read = latin1(await message.bytes());
  expect(message.octets).toBe(read.length);
  return read;
};

const trace = makeField("Received", "from here");
const names = (message: Message): string[] => message.fields.map(({ name }) => name);

describe("an untouched message", () => {
  test("is what was received, byte for byte", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("A: 1\r\n", " folded\r\n", "\r\n", "text", ":", "\u00ff", "\u0000"), {
          maxLength: 12,
        }),
        fc.array(fc.nat(60), { maxLength: 4 }),
        async (units, at) => {
          const given = units.join("");
          const message = await receive(given, at);
          expect(await text(message)).toBe(given);
          expect(await text(message)).toBe(given);
          message.add(trace);
          expect((await text(message)).endsWith(given)).toBe(true);
          await message.dispose();
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("fields on top", () => {
  test("the last added stands topmost, the original follows as it was", async () => {
    const message = await receive("A:1\r\nB :  2\r\n\r\nbody");
    message.add(trace);
    message.add(makeField("X-Last", "yes"));
    expect(await text(message)).toBe("X-Last: yes\r\nReceived: from here\r\nA:1\r\nB :  2\r\n\r\nbody");
    expect(names(message)).toEqual(["X-Last", "Received", "A", "B"]);
  });

  test.each([
    ["text that is no header", "hello\r\n", "Received: from here\r\n\r\nhello\r\n"],
    ["a line that starts with a blank", " hello\r\n", "Received: from here\r\n\r\n hello\r\n"],
    ["the From line of an mbox", "From jane\r\nA: 1\r\n", "Received: from here\r\n\r\nFrom jane\r\nA: 1\r\n"],
    ["an empty header section", "\r\nhello\r\n", "Received: from here\r\n\r\nhello\r\n"],
    ["nothing at all", "", "Received: from here\r\n\r\n"],
    ["fields alone", "A: 1\r\n", "Received: from here\r\nA: 1\r\n"],
  ])("never join %s", async (_, given, stored) => {
    const message = await receive(given);
    message.add(trace);
    expect(await text(message)).toBe(stored);
  });
});

describe("edits", () => {
  const original = "A: 1\r\nB: 2\r\na: 3\r\n folded\r\nC: 4\r\n\r\nbody";

  test("remove drops every field of that name, whatever its case and origin", async () => {
    const message = await receive(original);
    message.add(makeField("A", "0"));
    expect(message.remove("a")).toBe(3);
    expect(await text(message)).toBe("B: 2\r\nC: 4\r\n\r\nbody");
    expect(message.remove("a")).toBe(0);
  });

  test("remove of what is not there changes no octet", async () => {
    const message = await receive("A :1\r\n\r\nbody");
    expect(message.remove("X")).toBe(0);
    expect(await text(message)).toBe("A :1\r\n\r\nbody");
  });

  test("replace stands where the first stood", async () => {
    const message = await receive(original);
    message.replace(makeField("A", "9"));
    expect(await text(message)).toBe("A: 9\r\nB: 2\r\nC: 4\r\n\r\nbody");
    message.replace(makeField("c", "8"));
    expect(await text(message)).toBe("A: 9\r\nB: 2\r\nc: 8\r\n\r\nbody");
  });

  test("replace prefers an added field, and goes on top where there was none", async () => {
    const message = await receive(original);
    message.add(makeField("A", "0"));
    message.add(trace);
    message.replace(makeField("A", "9"));
    expect(await text(message)).toBe("Received: from here\r\nA: 9\r\nB: 2\r\nC: 4\r\n\r\nbody");
    message.replace(makeField("X", "new"));
    expect(names(message)[0]).toBe("X");
  });

  test("of the last field leave the body a body", async () => {
    const message = await receive("A: 1\r\n\r\nB: no field\r\n");
    message.remove("A");
    message.add(trace);
    expect(await text(message)).toBe("Received: from here\r\n\r\nB: no field\r\n");
  });

  test("of the last field never make fields and a text one section", async () => {
    const message = await receive(
      "A: 1\r\ntext: that looks like no field because of the line before\r\n".replace("text:", "text"),
    );
    message.remove("A");
    message.add(trace);
    expect(await text(message)).toBe(
      "Received: from here\r\n\r\ntext that looks like no field because of the line before\r\n",
    );
  });

  test("of a message beyond the memory are read from the file's middle", async () => {
    const body = "x".repeat(700_000);
    const receiver = new MessageReceiver(place(1000), 0);
    for (const piece of cuts(octetsOf(`A: 1\r\nB: 2\r\n\r\n${body}`), [3, 20, 300_000])) receiver.write(piece);
    const message = await receiver.finish();
    if (!(message instanceof Message)) throw new Error("refused");
    message.remove("A");
    expect(await text(message)).toBe(`B: 2\r\n\r\n${body}`);
    await message.dispose();
  });
});

describe("makeField", () => {
  test.each([
    ["Subject", "plain"],
    ["X-Spam", ""],
    ["Subject", "gr\u00fc\u00dfe"],
    ["Subject", "folded\r\n here\r\n\tand there"],
    ["Subject", "a\ttab"],
  ])("%s: %j", (name, value) => {
    expect(new TextDecoder().decode(makeField(name, value).raw)).toBe(`${name}: ${value}\r\n`);
  });

  test.each([
    ["", "x"],
    ["A B", "x"],
    ["A:", "x"],
    ["A\r\nB", "x"],
    ["\u00c4", "x"],
    ["A", "x\r\nBcc: joe@example.com"],
    ["A", "x\r\n\r\nbody"],
    ["A", "x\nB: y"],
    ["A", "x\rB: y"],
    ["A", "x\r\n"],
    ["A", "\r\nx"],
    ["A", "x\n y"],
    ["A", "x\r y"],
    ["A", "x\u0000"],
    ["A", "x\u007f"],
    ["A", "x\u001b[0m"],
  ])("%j with %j throws", (name, value) => {
    expect(() => makeField(name, value)).toThrow(TypeError);
  });

  test("never makes two fields of one", () => {
    const unit = fc.constantFrom("a", ":", " ", "\t", "\r", "\n", "\r\n", "\r\n ", "B: x");
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 10 }), (units) => {
        let raw: string;
        try {
          raw = latin1(makeField("A", units.join("")).raw);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        expect(
          raw
            .slice(0, -2)
            .split("\r\n")
            .slice(1)
            .every((line) => /^[ \t]/.test(line)),
        ).toBe(true);
        expect(raw.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
      }),
      { numRuns: 2000 },
    );
  });
});

test("names are compared without case, in ASCII alone", () => {
  expect(sameName("Subject", "SUBJECT")).toBe(true);
  expect(sameName("Subject", "Subjects")).toBe(false);
  expect(sameName("\u212aey", "key")).toBe(false);
});
