import { describe, expect, test } from "vitest";
import { addressKeys, identityKey } from "../src/keys.ts";

const prefixes = { ipv4: 24, ipv6: 64 };

describe("an address has one key, however it is spelt", () => {
  test.each([
    ["192.0.2.1", ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:c000:0201"]],
    [
      "2001:db8::1",
      ["2001:DB8::1", "2001:0db8:0:0:0:0:0:1", "2001:db8:0:0::0:1", "2001:db8::0.0.0.1", "2001:db8::1%eth0"],
    ],
    ["::1", ["0:0:0:0:0:0:0:1", "0::1", "::0.0.0.1"]],
    ["::", ["0::0", "0:0:0:0:0:0:0:0"]],
    ["fe80::1:2:3:4", ["FE80:0:0:0:1:2:3:4", "fe80::1:2:3:4%1"]],
    ["1:2:3:4:5:6:7:0", ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:0.7.0.0"]],
  ])("%s", (address, spellings) => {
    const keys = addressKeys(address, prefixes);
    for (const spelling of spellings) expect(addressKeys(spelling, prefixes)).toEqual(keys);
  });

  test("and no two have the same", () => {
    const addresses = [
      "192.0.2.1",
      "192.0.2.2",
      "::192.0.2.1",
      "64:ff9b::192.0.2.1",
      "2001:db8::1",
      "2001:db8:1::",
      "::1",
      "1::",
      "::",
    ];
    expect(new Set(addresses.map((address) => addressKeys(address, prefixes).address)).size).toBe(addresses.length);
  });
});

describe("a network is the first bits", () => {
  const network = (address: string, ipv4 = 24, ipv6 = 64): string => addressKeys(address, { ipv4, ipv6 }).network;

  test.each([
    ["192.0.2.1", "192.0.2.255", "192.0.3.0", 24, 64],
    ["10.0.0.0", "10.255.255.255", "11.0.0.0", 8, 64],
    ["10.0.0.16", "10.0.0.31", "10.0.0.32", 28, 64],
    ["2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:2::1", 24, 64],
    ["2001:db8::", "2001:db8:0:ffff::", "2001:db8:1::", 24, 48],
    ["2001:db8:8000::", "2001:db8:ffff::", "2001:db8:7fff::", 24, 33],
  ])("%s and %s are of one, %s is not", (one, same, other, ipv4, ipv6) => {
    expect(network(same, ipv4, ipv6)).toBe(network(one, ipv4, ipv6));
    expect(network(other, ipv4, ipv6)).not.toBe(network(one, ipv4, ipv6));
  });

  test("whole addresses, when the prefix is", () => {
    expect(network("192.0.2.1", 32)).not.toBe(network("192.0.2.2", 32));
    expect(network("::1", 24, 128)).not.toBe(network("::2", 24, 128));
  });

  test("networks of different size are different keys", () => {
    expect(network("10.0.0.1", 16)).not.toBe(network("10.0.0.1", 24));
  });
});

describe("an identity", () => {
  test("is the same however its letters are written", () => {
    for (const name of ["JANE@Example.com", "ｊane@example.com"]) expect(identityKey(name)).toBe("jane@example.com");
  });

  test("of odd characters or great length has a short key of plain ones, its own", () => {
    const odd = ["__proto__ ", "a:b", "a\r\nSET x 1", "müller", "a b", "", "#", "*", "x".repeat(65), "y".repeat(9000)];
    const keys = odd.map(identityKey);
    for (const key of keys) expect(key).toMatch(/^#[\w-]{43}$/);
    expect(new Set(keys).size).toBe(odd.length);
    // Nobody takes the name that is another's key
    for (const key of keys) expect(keys).not.toContain(identityKey(key));
  });

  test("named like something of JavaScript is a key like any other", () => {
    expect(identityKey("__proto__")).toBe("__proto__");
    expect(identityKey("constructor")).toBe("constructor");
  });
});

test("what is no IP address is counted by itself", () => {
  const { address, network } = addressKeys("unknown peer", prefixes);
  expect(address).toMatch(/^#/);
  expect(network).toBe(address);
});
