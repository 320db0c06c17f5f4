import { expect, test } from "vitest";
import { readForwardPath, readReversePath } from "../../src/protocol/path.ts";

const hostile = [
  "a".repeat(12_000),
  " ".repeat(12_000),
  "\t".repeat(12_000),
  "<".repeat(12_000),
  "@".repeat(12_000),
  `<${"@a,".repeat(4_000)}`,
  `<${"@a.b,".repeat(2_400)}:x@y`,
  `"${"\\".repeat(12_000)}`,
  `"${'\\"'.repeat(6_000)}`,
  `a@${"a.".repeat(6_000)}`,
  `a@${"ü.".repeat(6_000)}`,
  `a@[IPv6:${":".repeat(12_000)}]`,
  `${"a.".repeat(6_000)}@x`,
  `${"a.".repeat(6_000)}`,
];

test.each(hostile.map((text) => [text.slice(0, 12), text]))(
  "a hostile line of 12 KB is judged at once: %s",
  (_, text) => {
    // Two hundred times a millisecond when it is linear; the test runs out of time when it is not
    for (let times = 0; times < 200; times += 1) {
      expect(readReversePath(text)).toBeUndefined();
      expect(readForwardPath(text)).toBeUndefined();
    }
  },
);
