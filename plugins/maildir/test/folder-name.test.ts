import { relative, resolve, sep } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { folderName, longestName, lowerCase } from "../src/folder-name.ts";
import { defaultNaming, locate, mailboxPath, patternProblem } from "../src/mailbox.ts";
import { placePath } from "../src/place.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(".", "/", "\\", "\0", "%", "-", "a", "A", "2", "e", "é", "+"), maxLength: 300 }),
);

describe("folder names", () => {
  test("are injective, without regard to case too", () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        fc.pre(one !== other);
        expect(folderName(one).toLowerCase()).not.toBe(folderName(other).toLowerCase());
      }),
      { numRuns: 2000 },
    );
  });

  test("are one plain name of bounded length", () => {
    fc.assert(
      fc.property(text, fc.boolean(), (one, dots) => {
        const name = folderName(one, longestName, dots);
        expect(name).toMatch(/^[a-z0-9_+=%][a-z0-9._+=%-]*$/);
        expect(name.length).toBeLessThanOrEqual(longestName);
        if (!dots) expect(name).not.toContain(".");
      }),
    );
  });

  test.each([
    ["jane", "jane"],
    ["jane.doe+tag", "jane.doe+tag"],
    ["..", "%2e."],
    [".hidden", "%2ehidden"],
    ["-rf", "%2drf"],
    ["../../x", "%2e.%2f..%2fx"],
    ["a\\b", "a%5cb"],
    ["a\0b", "a%00b"],
    ["%2e", "%252e"],
    ["Jane", "%4aane"],
    ["jürgen", "j%c3%bcrgen"],
    ["[192.0.2.1]", "%5b192.0.2.1%5d"],
    ["", "%-"],
  ])("%j becomes %s", (given, name) => expect(folderName(given)).toBe(name));

  test("differ for texts that are too long and begin alike", () => {
    const long = "a".repeat(256);
    expect(folderName(`${long}1`)).not.toBe(folderName(`${long}2`));
    expect(folderName(`${long}1`)).toHaveLength(longestName);
  });

  test("letters beyond ASCII are not folded", () => {
    expect(lowerCase("KELVIN")).toBe("kelvin");
    expect(lowerCase("\u212aELVIN İÜ")).toBe("\u212aelvin İÜ");
  });
});

describe("mailboxes", () => {
  const root = resolve("/srv/mail");
  const segments = ["{domain}", "{local}", "{local}@{domain}", "Maildir", "{domain}@{local}@x"];

  test("stay inside the root whatever the address", () => {
    const patterns = fc.array(fc.constantFrom(...segments), { minLength: 1, maxLength: 4 }).map((all) => all.join("/"));
    const tags = fc.constantFrom("folder", "inbox", "off");
    fc.assert(
      fc.property(patterns, tags, fc.boolean(), text, text, (path, tagged, caseSensitive, localPart, domain) => {
        expect(patternProblem(path)).toBeUndefined();
        const naming = { ...defaultNaming, path, tags: tagged, caseSensitive } as const;
        const below = relative(root, placePath(root, locate(naming, { localPart, domain })));
        const names = below.split(sep);
        expect(names.length).toBeGreaterThanOrEqual(path.split("/").length);
        for (const name of names) {
          expect(["", ".", ".."]).not.toContain(name);
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
        }
      }),
    );
  });

  test("are apart for addresses that are apart", () => {
    const address = fc.record({ localPart: text, domain: text });
    const path = fc.constantFrom("{domain}/{local}", "{local}@{domain}", "{domain}@{local}");
    fc.assert(
      fc.property(path, address, address, (pattern, one, other) => {
        fc.pre(one.localPart !== other.localPart || one.domain !== other.domain);
        const naming = { ...defaultNaming, path: pattern, tags: "off", caseSensitive: true } as const;
        expect(placePath(root, locate(naming, one))).not.toBe(placePath(root, locate(naming, other)));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ["jane@example.com", "example.com/jane"],
    ["Jane@EXAMPLE.com", "example.com/jane"],
    ['"../../x"@example.com', "example.com/%2e.%2f..%2fx"],
    ["../../x@example.com", undefined],
    ["jane+Shop@example.com", "example.com/jane/.shop"],
    ["jane+a.b@example.com", "example.com/jane/.a%2eb"],
    ["jane+a+b@example.com", "example.com/jane/.a+b"],
    ["jane+@example.com", "example.com/jane"],
    ["+tag@example.com", "example.com/+tag"],
    ["jane@[192.0.2.1]", "%5b192.0.2.1%5d/jane"],
  ])("%s is at %s", (address, path) => {
    if (path === undefined) expect(() => mailboxPath(root, address)).toThrow(TypeError);
    else expect(mailboxPath(root, address)).toBe(`${root}/${path}`);
  });

  test("tags may go to the inbox, or be no tags", () => {
    expect(mailboxPath(root, "jane+shop@example.com", { tags: "inbox" })).toBe(`${root}/example.com/jane`);
    expect(mailboxPath(root, "jane+shop@example.com", { tags: "off" })).toBe(`${root}/example.com/jane+shop`);
    expect(mailboxPath(root, "jane-shop@example.com", { separator: "-" })).toBe(`${root}/example.com/jane/.shop`);
    expect(mailboxPath(root, "jane+shop@example.com", { separator: "" })).toBe(`${root}/example.com/jane+shop`);
  });

  test.each(["", "/x", "x/", "a//b", "..", "{domain}/../x", "{user}", "{local}-{domain}", "{local}{domain}", "a\\b"])(
    "the pattern %j is refused",
    (pattern) => expect(patternProblem(pattern)).toBeTypeOf("string"),
  );
});
