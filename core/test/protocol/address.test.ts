import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatAddress, needsSmtputf8, parseAddress } from "../../src/protocol/address.ts";

describe("a mailbox", () => {
  test.each([
    ["jane@example.com", "jane", "example.com"],
    ["Jane.Doe+tag@EXAMPLE.com", "Jane.Doe+tag", "example.com"],
    ['"jane doe"@example.com', "jane doe", "example.com"],
    ['"a@b"@example.com', "a@b", "example.com"],
    [String.raw`"a\"b\\c"@example.com`, String.raw`a"b\c`, "example.com"],
    ['""@example.com', "", "example.com"],
    ['" ~"@example.com', " ~", "example.com"],
    ["!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com"],
    ["jane@[192.0.2.1]", "jane", "[192.0.2.1]"],
    ["jane@[IPv6:2001:DB8::1]", "jane", "[IPv6:2001:db8::1]"],
    ["jane@mail_host.example", "jane", "mail_host.example"],
    ["jürgen@bücher.example", "jürgen", "xn--bcher-kva.example"],
    ["用户@例え.test", "用户", "xn--r8jz45g.test"],
  ])("%s is read", (text, localPart, domain) => {
    expect(parseAddress(text)).toEqual({ localPart, domain, text });
  });

  test.each([
    ["", "nothing"],
    ["jane", "no domain"],
    ["jane@", "an empty domain"],
    ["@example.com", "no local part"],
    [".jane@example.com", "a leading dot"],
    ["jane.@example.com", "a trailing dot"],
    ["ja..ne@example.com", "two dots"],
    ["ja ne@example.com", "a blank"],
    ["jane example.com", "a blank instead of the at sign"],
    ['"jane"xexample.com', "a letter instead of the at sign"],
    ["jane@exam\ufeffple.com", "a blank of no width in the domain"],
    ["jane@\ufeffexample.com", "a blank of no width before the domain"],
    ["jane@example.com\ufeff", "a blank of no width behind the domain"],
    ["jane@exam\u3000ple.com", "a wide blank in the domain"],
    ["jane@example.com.", "a trailing dot in the domain"],
    ["jane@exa mple.com", "a blank in the domain"],
    ["jane@@example.com", "two at signs"],
    ["jane@a@example.com", "a second domain"],
    ["<jane@example.com>", "brackets"],
    ["jane@[192.0.2.1", "an open literal"],
    ["jane@[999.0.2.1]", "a literal that is no address"],
    ["jane@[IPv6:zz]", "a literal that is no IPv6 address"],
    ["jane@[x-tag:content]", "a general literal"],
    ['"jane@example.com', "an open quote"],
    ['"jane\\', "a quote that ends in an escape"],
    ['"jane"doe@example.com', "text behind the quote"],
    ['ja"ne"@example.com', "a quote in the middle"],
    ["jane(comment)@example.com", "a comment"],
    [`${"a".repeat(257)}@example.com`, "a local part that is too long"],
    [`a@${"abcdefghi.".repeat(26)}com`, "a domain that is too long"],
    ["jane\u0000@example.com", "NUL"],
    ['"jane\u0000"@example.com', "NUL in quotes"],
    ['"jane\r\nRCPT TO:<x@y>"@example.com', "a line end in quotes"],
    ['"jane\\\r"@example.com', "an escaped CR"],
    ["jane\u0085@example.com", "a C1 control"],
    ['"jane\u0085"@example.com', "a C1 control in quotes"],
    ["jane\u007f@example.com", "DEL"],
  ])("%j is none: %s", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("VERP senders write local parts of more than 64 octets", () => {
    const local = "bounce-".repeat(36);
    expect(parseAddress(`${local}@example.com`)?.localPart).toBe(local);
    expect(parseAddress(`${"x".repeat(256)}@example.com`)?.localPart).toHaveLength(256);
    expect(parseAddress(`"${"x".repeat(256)}"@example.com`)?.localPart).toHaveLength(256);
    expect(parseAddress(`"${"x".repeat(257)}"@example.com`)).toBeUndefined();
  });
});

describe("formatting", () => {
  test.each([
    ["jane", "example.com", "jane@example.com"],
    ["jane doe", "example.com", '"jane doe"@example.com'],
    ["", "example.com", '""@example.com'],
    [String.raw`a"b\c`, "example.com", String.raw`"a\"b\\c"@example.com`],
    ["postmaster", "", "postmaster"],
    ["a\u00a0b\u2028c", "example.com", "a\u00a0b\u2028c@example.com"],
  ])("%j at %s", (localPart, domain, text) => {
    expect(formatAddress({ localPart, domain })).toBe(text);
  });

  const character = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...'abzAZ019.!#"\\@<> ,:;()[]') },
    { weight: 1, arbitrary: fc.constantFrom("\u00a0", "\u2028", "\u3000", "\ufeff") },
    { weight: 1, arbitrary: fc.integer({ min: 0xa0, max: 0xd7ff }).map((code) => String.fromCodePoint(code)) },
    { weight: 1, arbitrary: fc.integer({ min: 0x10000, max: 0x10ffff }).map((code) => String.fromCodePoint(code)) },
  );
  const localPart = fc.array(character, { maxLength: 40 }).map((some) => some.join(""));
  const domain = fc.constantFrom("example.com", "xn--bcher-kva.example", "[192.0.2.1]", "[IPv6:2001:db8::1]");

  test("what was formatted is read as it was", () => {
    fc.assert(
      fc.property(fc.record({ localPart, domain }), (address) => {
        expect(parseAddress(formatAddress(address))).toMatchObject(address);
      }),
      { numRuns: 2000 },
    );
  });

  test("what was read is formatted to something that means the same", () => {
    const text = fc.array(character, { maxLength: 30 }).map((some) => some.join(""));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((some) => `"${some}"@example.com`),
        ),
        (given) => {
          const read = parseAddress(given);
          if (read === undefined) return;
          const { localPart: local, domain: at } = read;
          expect(parseAddress(formatAddress(read))).toMatchObject({ localPart: local, domain: at });
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("no control octet ever passes", () => {
    const any = fc.string({ unit: "binary", maxLength: 30 });
    const text = fc.oneof(
      any,
      any.map((some) => `"${some}"@example.com`),
      any.map((some) => `a@${some}`),
    );
    fc.assert(
      fc.property(text, (given) => {
        const read = parseAddress(given);
        if (read === undefined) return;
        // oxlint-disable-next-line no-control-regex -- control octets are what is looked for
        expect(`${read.localPart}${read.domain}${read.text}`).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
      { numRuns: 3000 },
    );
  });
});

test.each([
  ["jane@example.com", false],
  ["jane@bücher.example", true],
  ["jürgen@example.com", true],
  ["jane@xn--bcher-kva.example", false],
])("%s needs SMTPUTF8: %s", (text, needs) => {
  const address = parseAddress(text);
  expect(address && needsSmtputf8(address)).toBe(needs);
});
