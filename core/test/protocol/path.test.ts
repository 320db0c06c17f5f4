import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readForwardPath, readReversePath } from "../../src/protocol/path.ts";

describe("the reverse-path", () => {
  test("<> is the null reverse-path", () => {
    expect(readReversePath("<>")).toEqual({ path: null, end: 2 });
    expect(readReversePath(" <> SIZE=1")).toEqual({ path: null, end: 3 });
  });

  test.each([
    ["<jane@example.com>", "jane@example.com", 18],
    [" <jane@example.com>", "jane@example.com", 19],
    ["jane@example.com", "jane@example.com", 16],
    ["jane@example.com SIZE=1", "jane@example.com", 16],
    ["<jane@example.com> SIZE=1", "jane@example.com", 18],
    ["<jane@example.com>\tSIZE=1", "jane@example.com", 18],
    ["jane@example.com\tSIZE=1", "jane@example.com", 16],
    ["<jane@bücher.example> SIZE=1", "jane@bücher.example", 21],
    ["<@[IPv6:::]:jane@example.com>", "jane@example.com", 29],
    ["<@a.example,@b.example:jane@example.com>", "jane@example.com", 40],
    ["<@[192.0.2.7]:jane@example.com>", "jane@example.com", 31],
    ["<@[IPv6:2001:db8::1],@a.example:jane@example.com>", "jane@example.com", 49],
    ['<"<>"@example.com>', '"<>"@example.com', 18],
  ])("%s is read", (text, written, end) => {
    const read = readReversePath(text);
    expect(read?.path?.text).toBe(written);
    expect(read?.end).toBe(end);
  });

  test.each([
    "",
    "<",
    "< >",
    "<>x",
    "<>>",
    "<jane@example.com",
    "<jane@example.com  SIZE=1",
    "<@a.example",
    "<@a.example,",
    "<@a.example,jane@example.com>",
    "<@[192.0.2.7:jane@example.com>",
    "jane@example.com>",
    "<jane@example.com>SIZE=1",
    "<jane@example.com>>",
    "<<jane@example.com>>",
    "<@a.example jane@example.com>",
    "<@a.example:>",
    "<@:jane@example.com>",
    "<a.example:jane@example.com>",
    "<@a..b:jane@example.com>",
    "<postmaster>",
    "<jane>",
    "<jane@example.com,joe@example.com>",
  ])("%j is none", (text) => {
    expect(readReversePath(text)).toBeUndefined();
  });
});

describe("the forward-path", () => {
  test.each([
    ["<postmaster>", 12],
    ["<Postmaster>", 12],
    ["POSTMASTER", 10],
    [" <postmaster> NOTIFY=NEVER", 13],
  ])("%s is the postmaster, whose domain is not said", (text, end) => {
    expect(readForwardPath(text)).toMatchObject({ path: { localPart: "postmaster", domain: "" }, end });
  });

  test("postmaster with a domain is an address like any other", () => {
    expect(readForwardPath("<PostMaster@example.com>")?.path).toEqual({
      localPart: "PostMaster",
      domain: "example.com",
      text: "PostMaster@example.com",
    });
  });

  test.each([
    "<>",
    "<postmaster",
    "postmaster>",
    "xpostmaster",
    "<xpostmaster>",
    "x <postmaster>",
    "<postmasters>",
    "<@a.example:postmaster>",
    "<postmaster>>",
  ])("%j is none", (text) => expect(readForwardPath(text)).toBeUndefined());
});

test("no text makes the readers throw", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      for (const read of [readReversePath(text), readForwardPath(text)])
        if (read !== undefined) expect(read.end).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 3000 },
  );
});
