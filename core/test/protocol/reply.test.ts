import { describe, expect, test } from "vitest";
import { replies } from "../../src/protocol/replies.ts";
import {
  type Reply,
  encodeReply,
  makeReply,
  quotable,
  replyLineOctets,
  replyLines,
  replyProblem,
  tracedLines,
} from "../../src/protocol/reply.ts";

describe.each(Object.entries<Reply>(replies))("replies.%s", (_name, reply) => {
  test("may be sent, and its status agrees with its code", () => {
    expect(replyProblem(reply)).toBeUndefined();
    if (reply.status !== undefined) expect(reply.status[0]).toBe(String(reply.code)[0]);
    else expect([334, 354]).toContain(reply.code);
  });

  test("is one short printable line", () => {
    expect(reply.text).toMatch(/^[\x20-\x7e]{2,80}$/);
  });
});

test("two replies that say the same are one", () => {
  const said = Object.entries<Reply>(replies).map(([, { code, status, text }]) => `${code} ${status} ${String(text)}`);
  expect(said.filter((one, index) => said.indexOf(one) !== index)).toEqual(["553 5.6.7 Address needs SMTPUTF8"]);
});

describe("makeReply", () => {
  test.each([
    [199, undefined, "low"],
    [600, undefined, "high"],
    [250.5, undefined, "no integer"],
    [Number.NaN, undefined, "no number"],
    [250, "5.0.0", "other class"],
    [550, "4.7.1", "other class"],
    [354, "3.0.0", "no class of RFC 3463"],
    [550, "5.7", "two parts"],
    [550, "5.7.1 x", "a tail"],
    [550, "5.1234.1", "too many digits"],
    [550, "5.7.1", "line\r\nend"],
    [550, "5.7.1", "line\nend"],
    [550, "5.7.1", "NUL\u0000"],
    [550, "5.7.1", "DEL\u007f"],
    [550, "5.7.1", "ümlaut"],
    [550, "5.7.1", []],
    [550, "5.7.1", ["good", "bad\r"]],
    [550, "5.7.1", [1]],
    [550, "5.7.1", "x".repeat(replyLineOctets - 11)],
  ])("refuses %s %s %j", (code, status, text) => {
    expect(() => makeReply(code, status as never, text as never)).toThrow(TypeError);
  });

  test.each<[Reply, string]>([
    [{ code: 600, text: "x" }, "code 600 is not a reply code"],
    [{ code: 550, status: "x5.7.1" as never, text: "x" }, 'status "x5.7.1" is not X.Y.Z'],
    [{ code: 550, status: "2.1.5", text: "x" }, "status 2.1.5 does not agree with code 550"],
    [{ code: 550, text: [] }, "a reply needs at least one line"],
    [{ code: 550, text: [1 as never] }, "the text of a reply is a string"],
    [{ code: 550, text: "a\nb" }, 'text "a\\nb" holds octets that are not printable ASCII'],
    [{ code: 550, text: "x".repeat(600) }, "a reply line is over 512 octets"],
  ])("%j: %s", (reply, problem) => {
    expect(replyProblem(reply)).toBe(problem);
    expect(() => makeReply(reply.code, reply.status, reply.text)).toThrow(new TypeError(`not a reply: ${problem}`));
    expect(() => encodeReply(reply)).toThrow(new TypeError(`not a reply: ${problem}`));
  });

  test("takes what may be sent", () => {
    expect(makeReply(550, "5.7.1", "No")).toEqual({ code: 550, status: "5.7.1", text: "No" });
    expect(makeReply(250, undefined, ["one", "two\twords"])).toMatchObject({ code: 250 });
    expect(makeReply(550, "5.7.1", "x".repeat(replyLineOctets - 12))).toMatchObject({ code: 550 });
    expect(makeReply(200, "2.123.123", "low")).toMatchObject({ code: 200 });
    expect(makeReply(599, "5.10.1", "high")).toMatchObject({ code: 599 });
    const lines = ["one"];
    const reply = makeReply(250, undefined, lines);
    lines.push("two");
    expect(reply.text).toEqual(["one"]); // it is the caller's list no more
    expect(makeReply(334, undefined, "A".repeat(12_000))).toMatchObject({ code: 334 });
  });
});

describe("on the wire", () => {
  const text = (reply: Reply): string => new TextDecoder().decode(encodeReply(reply));

  test("the status stands on every line, a hyphen on all but the last", () => {
    expect(text({ code: 550, status: "5.7.1", text: ["one", "two", "three"] })).toBe(
      "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n",
    );
    expect(text({ code: 250, text: "plain" })).toBe("250 plain\r\n");
    expect(text({ code: 334, text: "" })).toBe("334 \r\n");
    expect(text({ code: 250, text: "" })).toBe("250\r\n");
    expect(text({ code: 250, status: "2.0.0", text: "" })).toBe("250 2.0.0 \r\n");
    expect(replyLines({ code: 220, text: ["a", "b"] })).toEqual(["220-a", "220 b"]);
  });

  test("a line may be 512 octets and no more", () => {
    const most: Reply = { code: 550, status: "5.7.1", text: "x".repeat(replyLineOctets - 12) };
    expect(encodeReply(most).length).toBe(replyLineOctets);
  });

  test("a reply is encoded once", () => {
    expect(encodeReply(replies.ok)).toBe(encodeReply(replies.ok));
  });

  test("one that can change is encoded as it stands", () => {
    const open = { code: 250, text: "before" };
    expect(text(open)).toBe("250 before\r\n");
    open.text = "after";
    expect(text(open)).toBe("250 after\r\n");
    const lines = ["before"];
    const half: Reply = Object.freeze({ code: 250, text: lines });
    expect(text(half)).toBe("250 before\r\n");
    lines.push("after");
    expect(text(half)).toBe("250-before\r\n250 after\r\n");
    const code = { code: 250, text: Object.freeze(["line"]) };
    expect(text(code)).toBe("250 line\r\n");
    code.code = 251;
    expect(text(code)).toBe("251 line\r\n");
  });

  test("one that cannot is encoded once, of one line or more", () => {
    for (const reply of [makeReply(250, "2.0.0", "one"), makeReply(250, "2.0.0", ["one", "two"])])
      expect(encodeReply(reply)).toBe(encodeReply(reply));
  });

  test("who watches sees the lines of what is sent, and of what has changed since", () => {
    const settled = makeReply(550, "5.7.1", ["one", "two"]);
    const open = { code: 250, text: "before" };
    for (const reply of [settled, replies.ok, open, settled, open])
      expect(`${tracedLines(reply).join("\r\n")}\r\n`).toBe(text(reply));
    open.text = "after";
    expect(tracedLines(open)).toEqual(["250 after"]);
    expect(tracedLines(settled)).toBe(tracedLines(settled));
  });

  test("what may not be sent is not", () => {
    expect(() => encodeReply({ code: 250, text: "a\r\n250 b" })).toThrow(TypeError);
  });
});

test("client octets are made harmless before they are quoted", () => {
  expect(quotable("jane@example.com")).toBe("jane@example.com");
  expect(quotable("a\r\nb\u0000ü\u001b[31m")).toBe("a??b???[31m");
  expect(quotable("x".repeat(64))).toBe("x".repeat(64));
  expect(quotable("x".repeat(65))).toBe(`${"x".repeat(64)}...`);
  expect(quotable("abcdef", 3)).toBe("abc...");
});
