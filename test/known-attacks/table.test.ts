import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

// SECURITY.md names a test for each published attack. Not among them, since what they attack is not here yet:
// - BDAT that outlives its refusal, its error path or the TLS below it (Dovecot pull 120, CVE-2017-16943/4 in part,
//   the "refused BDAT whose octets run as commands"): there is no CHUNKING.
// - PROXY headers without bound, XCLIENT and XFORWARD from peers one trusts: no plugin reads them, so they are
//   unknown commands to everybody, which is tested.
// - Replies injected by the server on the other end (CVE-2021-38371 as a client), CRLF in what a relay writes:
//   no mail is sent on. The one writer of protocol lines is tested all the same.
// - A parser of MIME or of header fields, depth limits: nothing parses them.

const root = join(import.meta.dirname, "../..");

interface Line {
  readonly attack: string;
  readonly file: string;
  readonly name: string;
}

/** Markdown may escape what would mean something to it. */
const unescaped = (text: string): string => text.trim().replace(/\\([*_`~|<>[\]])/g, "$1");

const table: Line[] = readFileSync(join(root, "SECURITY.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const matched = /^\| (.*?) +\| \[[^\]]+\]\(([^)]+)\) *\| (.*) \|$/.exec(line);
    if (matched === null) return [];
    const [, attack = "", file = "", name = ""] = matched;
    return [{ attack: unescaped(attack), file, name: unescaped(name) }];
  });

test("there is a table, and no attack stands in it twice", () => {
  expect(table.length).toBeGreaterThan(35);
  expect(new Set(table.map(({ attack }) => attack)).size).toBe(table.length);
});

describe("each attack of SECURITY.md has its test", () => {
  test.each(table)("$attack", ({ file, name }) => {
    const source = readFileSync(join(root, file), "utf8");
    expect(
      [`"${name}"`, `\`${name}\``].some((title) => source.includes(title)),
      name,
    ).toBe(true);
  });
});
