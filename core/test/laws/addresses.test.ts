import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readReversePath } from "../../src/protocol/path.ts";
import { long, seed, times } from "./form.ts";
import { difference } from "./path-difference.ts";

const oddLocal = fc.oneof(
  fc.constantFrom("a..b", ".a", "a.", '""', '"a@b"', '"\\""', '"\\', '"a"b', "a\u0085"),
  fc.string({ unit: fc.constantFrom(...'aZ09.!#%+-_@"\\ <>,:ü\u00a0'), maxLength: 8 }),
  fc.integer({ min: 250, max: 260 }).map((length) => "x".repeat(length)),
);
const soundLocal = fc.oneof(
  fc.constantFrom("jane", "a.b", '"a b"', "ü", "postmaster", "用户", '"\\<\\>"'),
  fc.string({ unit: fc.constantFrom(..."aZ09!#%+-_ü\u00a0"), minLength: 1, maxLength: 8 }),
  fc.string({ unit: fc.constantFrom(..."aZ @<>,:.ü"), maxLength: 8 }).map((text) => `"${text}"`),
);
const local = fc.oneof({ weight: 3, arbitrary: soundLocal }, { weight: 1, arbitrary: oddLocal });
const group = fc.constantFrom("0", "1", "db8", "FFFF", "00000", "g", "192.0.2.1", "");
const oddDomain = fc.oneof(
  fc.constantFrom(
    "example.com",
    "A.b",
    "a_b.test",
    "-a.test",
    "a-.test",
    "a..b",
    "a.",
    "bücher.test",
    "faß.test",
    "a。b",
    "ａ.test",
  ),
  fc.constantFrom(
    "[192.0.2.1]",
    "[192.0.2.256]",
    "[192.0.2.01]",
    "[192.0.2]",
    "[x:y]",
    "[IPv6:::1]",
    "[IPv6:2001:db8::1]",
  ),
  fc.array(group, { minLength: 1, maxLength: 10 }).map((groups) => `[IPv6:${groups.join(":")}]`),
  fc
    .tuple(fc.array(group, { maxLength: 8 }), fc.array(group, { maxLength: 8 }))
    .map(([a, b]) => `[IPv6:${a.join(":")}::${b.join(":")}]`),
  fc.string({ unit: fc.constantFrom(..."aZ09.-_[]:%ü。"), maxLength: 8 }),
  fc.integer({ min: 61, max: 65 }).map((length) => `${"x".repeat(length)}.test`),
  fc.integer({ min: 60, max: 68 }).map((count) => `${"abc.".repeat(count)}x`.slice(0, 240 + count - 50)),
);
const soundDomain = fc.constantFrom(
  "example.com",
  "A.b",
  "bücher.test",
  "[192.0.2.1]",
  "[IPv6:2001:db8::1]",
  "a_b.test",
);
const domain = fc.oneof({ weight: 2, arbitrary: soundDomain }, { weight: 1, arbitrary: oddDomain });
const route = fc.oneof(
  { weight: 4, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc
      .array(domain, { minLength: 1, maxLength: 3 })
      .map((hops) => `${hops.map((hop) => `@${hop}`).join()}:`),
  },
);
const behind = fc.constantFrom("", "", "", " SIZE=1", "\tSIZE=1", "SIZE=1", ">", " ");
const path = fc
  .tuple(
    fc.constantFrom("", " ", "\t "),
    fc.boolean(),
    route,
    local,
    fc.constantFrom("@", "@", "@", "@", "@", ""),
    domain,
    behind,
  )
  .map(([before, bare, hops, mailbox, at, host, rest]) =>
    bare ? `${before}${mailbox}${at}${host}${rest}` : `${before}<${hops}${mailbox}${at}${host}>${rest}`,
  );
/** A path in which some characters were put, taken out or doubled. */
const mutated = fc
  .tuple(
    path,
    fc.array(fc.tuple(fc.nat(300), fc.nat(2), fc.constantFrom(...'<>@.,:"\\[] \t\0\u007fa-ü\u0085')), { maxLength: 3 }),
  )
  .map(([text, changes]) =>
    changes.reduce((changed, [where, cut, put]) => {
      const at = where % (changed.length + 1);
      return changed.slice(0, at) + put + changed.slice(at + cut);
    }, text),
  );

test("paths are read as the grammar of RFC 5321 and RFC 6531 has them", { timeout: long ? 3_600_000 : 60_000 }, () => {
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(path, mutated, fc.string({ maxLength: 30 })), (text) => {
      if (/\p{Cs}/u.test(text)) return; // a line is UTF-8
      if (readReversePath(text) !== undefined) read += 1;
      expect(difference(text)).toBeUndefined();
    }),
    { seed, numRuns: times(5000, 300_000) },
  );
  expect(read).toBeGreaterThan(500);
});

test("every short path is read as the grammar has it", { timeout: long ? 3_600_000 : 60_000 }, () => {
  const letters = [...'a.@"\\<>[:, '];
  const wrong: (string | undefined)[] = [];
  let texts = [""];
  for (let length = 0; length <= times(4, 5); length += 1) {
    for (const text of texts) wrong.push(...[`<${text}@b>`, `<${text}>`, text].map(difference));
    texts = texts.flatMap((text) => letters.map((letter) => text + letter));
  }
  expect(wrong.filter((one) => one !== undefined).slice(0, 5)).toEqual([]);
  expect(wrong).toHaveLength(3 * ((letters.length ** (times(4, 5) + 1) - 1) / (letters.length - 1)));
});
