// How long the worst lines take to judge: at the length a line may have, and eight times as long, which should take eight times
// as long. Clocks lie on a busy machine: a bench, not a test.
import { canonicalDomain } from "../core/src/protocol/domain.ts";
import { withoutTrailingBlanks, asciiUpper } from "../core/src/protocol/octets.ts";
import { mailParameters, readParameters } from "../core/src/protocol/parameters.ts";
import { readForwardPath, readReversePath } from "../core/src/protocol/path.ts";

/** A MAIL line with every parameter of core and AUTH=. */
const longest = 512 + 26 + 16 + 10 + 500;

const ideographs = Array.from({ length: 20_000 }, (_, index) => String.fromCodePoint(0x4e00 + index)).join("");
const filled = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

const paths = (text: string): unknown => [readReversePath(text), readForwardPath(text)];
const worst: Readonly<Record<string, readonly [judge: (text: string) => unknown, make: (length: number) => string]>> = {
  "one long atom": [paths, (length) => `<${filled("a", length)}`],
  "an atom with dots": [paths, (length) => `<${filled("a.", length)}@`],
  blanks: [paths, (length) => filled(" \t", length)],
  "an open quote": [paths, (length) => `<"${filled('\\"', length)}`],
  "a source route": [paths, (length) => `<${filled("@a,", length)}`],
  "a source route of literals": [paths, (length) => `<${filled("@[192.0.2.1],", length)}`],
  "a source route of IDNs": [paths, (length) => `<${filled("@ü,", length)}`],
  "open literals": [paths, (length) => `<${filled("@[", length)}`],
  "a long domain": [paths, (length) => `<a@${filled("a.", length)}>`],
  "a long IDN": [paths, (length) => `<a@${filled("ü.", length)}>`],
  "one label of different ideographs": [canonicalDomain, (length) => ideographs.slice(0, length)],
  "an IPv6 literal": [paths, (length) => `<a@[IPv6:${filled("1:", length)}]>`],
  "many parameters": [(text) => readParameters(text, mailParameters), (length) => filled(" SIZE", length)],
  "a long parameter": [(text) => readParameters(text, mailParameters), (length) => ` ${filled("A-", length)}`],
  "trailing blanks": [withoutTrailingBlanks, (length) => filled(" \t", length)],
  "a long verb": [asciiUpper, (length) => filled("aA", length)],
};

/** The fastest of many times, in microseconds. */
function microseconds(judge: () => unknown): number {
  let fastest = Infinity;
  for (let round = 0; round < 200; round += 1) {
    const before = performance.now();
    judge();
    fastest = Math.min(fastest, 1000 * (performance.now() - before));
  }
  return fastest;
}

console.log(
  `${"worst line".padEnd(36)}${`${longest} octets`.padStart(14)}${"8 times that".padStart(14)}${"ratio".padStart(8)}`,
);
for (const [name, [judge, make]] of Object.entries(worst)) {
  const [one, eight] = [make(longest), make(8 * longest)].map((text) => microseconds(() => judge(text)));
  if (one === undefined || eight === undefined) continue;
  const note = one > 1000 || eight > 24 * one ? "  <- look here" : "";
  console.log(
    `${name.padEnd(36)}${`${one.toFixed(1)} us`.padStart(14)}${`${eight.toFixed(1)} us`.padStart(14)}${(eight / one).toFixed(1).padStart(8)}${note}`,
  );
}
