import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalDomain, canonicalLiteral } from "../../src/protocol/domain.ts";

describe("the canonical domain", () => {
  test.each([
    ["example.com", "example.com"],
    ["EXAMPLE.Com", "example.com"],
    ["localhost", "localhost"],
    ["mail_host.example", "mail_host.example"],
    ["_dmarc.example", "_dmarc.example"],
    ["0x7f.1", "0x7f.1"],
    ["0X7F.1", "0x7f.1"],
    ["192.0.2.1", "192.0.2.1"],
    ["abcdefghi.".repeat(25) + "abcde", "abcdefghi.".repeat(25) + "abcde"],
    ["ABCDEFGHI.".repeat(25) + "ABCDE", "abcdefghi.".repeat(25) + "abcde"],
    ["1.ü.test", "1.xn--tda.test"],
    ["ü.a1", "xn--tda.a1"],
    ["1.example", "1.example"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example", "xn--bcher-kva.example"],
    ["faß.example", "xn--fa-hia.example"],
    ["bücher。example", "xn--bcher-kva.example"],
    ["bücher．example", "xn--bcher-kva.example"],
    ["ｅｘａｍｐｌｅ.com", "example.com"],
    ["b\u0075\u0308cher.example", "xn--bcher-kva.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["a".repeat(63) + ".example", "a".repeat(63) + ".example"],
  ])("%s is %s", (text, canonical) => {
    expect(canonicalDomain(text)).toBe(canonical);
  });

  test.each([
    "",
    ".",
    "example.com.",
    ".example.com",
    "a..b",
    "-a.example",
    "a-.example",
    "a b",
    "a%2eb",
    "ü%2eb",
    "ü％2eb",
    "a/b",
    "ü/b",
    "ü／b",
    "ü?b",
    "ü#b",
    "ü@b",
    "ü:25",
    "ü[b",
    "ü\\b",
    "ü\tb",
    "ü\u3000b",
    "ü.example.",
    "ü。",
    "ü..b",
    "ü.\u00ad.b",
    "１２７．０．０．１",
    "０x7f．1",
    "\u2488.example",
    "a".repeat(64) + ".example",
    "abcdefghi.".repeat(26) + "com",
    "abcdefghi.".repeat(25) + "abcdef",
    "ü.".repeat(100) + "test",
    "u\u0308.".repeat(85) + "test",
    "a\u0000b",
    "ü\u0000b",
    "a\r\nb",
    "[192.0.2.1]",
    "\ud800.example",
    "ü\u200e.example",
  ])("%j is no domain", (text) => {
    expect(canonicalDomain(text)).toBeUndefined();
  });

  test("is canonical once and for all", () => {
    const unit = fc.oneof(
      fc.constantFrom(..."abcxyzABC019.-_%/@:[]ß。．ｅ０１\u00ad\u200d"),
      fc.integer({ min: 0x80, max: 0x2fff }).map((code) => String.fromCodePoint(code)),
    );
    fc.assert(
      fc.property(fc.array(unit, { minLength: 1, maxLength: 16 }), (units) => {
        const canonical = canonicalDomain(units.join(""));
        if (canonical === undefined) return;
        expect(canonicalDomain(canonical)).toBe(canonical);
        expect(canonical).toMatch(/^[a-z0-9_.-]{1,255}$/);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("the address literal", () => {
  test.each([
    ["[192.0.2.1]", "[192.0.2.1]"],
    ["[255.255.255.255]", "[255.255.255.255]"],
    ["[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"],
    ["[ipv6:2001:DB8:0:0:0:0:0:1]", "[IPv6:2001:db8::1]"],
    ["[IPv6:::ffff:192.0.2.1]", "[IPv6:::ffff:c000:201]"],
    ["[IPv6:::]", "[IPv6:::]"],
  ])("%s is %s", (text, canonical) => {
    expect(canonicalLiteral(text)).toBe(canonical);
    expect(canonicalLiteral(canonical)).toBe(canonical);
  });

  test.each([
    "192.0.2.1",
    "[192.0.2.1",
    "192.0.2.1]",
    "[]",
    "[192.0.2]",
    "[192.0.2.256]",
    "[192.0.2.01]",
    "[0x7f.1]",
    "[2001:db8::1]",
    "[IPv6:]",
    "[IPv6:1:2:3]",
    "[IPv6:1::2::3]",
    "[IPv6:fe80::1%eth0]",
    "[IPv6:2001:db8::1",
    "[tag:content]",
    "[xIPv6:::1]",
    "[IPv6:::1x]",
  ])("%s is none", (text) => {
    expect(canonicalLiteral(text)).toBeUndefined();
  });
});
