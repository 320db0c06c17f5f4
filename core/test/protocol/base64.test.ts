import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBase64, encodeBase64 } from "../../src/protocol/base64.ts";

test("agrees with Buffer on every octet string", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => {
      const text = Buffer.from(octets).toString("base64");
      expect(encodeBase64(octets)).toBe(text);
      expect(decodeBase64(text)).toEqual(octets);
    }),
    { numRuns: 2000 },
  );
});

test("takes nothing that Buffer would not write", () => {
  const unit = fc.constantFrom(..."ABCZabz019+/=-_ \n\u00e9");
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 12 }), (units) => {
      const text = units.join("");
      const canonical = Buffer.from(text, "base64").toString("base64") === text;
      expect(decodeBase64(text) !== null).toBe(canonical);
    }),
    { numRuns: 5000 },
  );
});

test.each(["A", "AA", "AAA", "A===", "====", "=", "AB==", "AAB=", "AAAA====", "AA==AA==", " AAAA", "AAAA\r\n", "AA-_"])(
  "%j is not base64",
  (text) => expect(decodeBase64(text)).toBeNull(),
);
