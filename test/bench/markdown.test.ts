import { expect, test } from "vitest";
import { inPage } from "../../bench/speed/markdown.mts";
import type { Run } from "../../bench/speed/run.mts";
import { type Figure, resultOf } from "../../bench/speed/statistics.mts";

const figure = (microseconds: number, rest: Partial<Figure> = {}): Figure => ({
  microseconds,
  perSecond: 1000,
  used: 0.95,
  median: 0.5,
  p99: 2,
  peak: 64 * 1024 * 1024,
  ...rest,
});
const at = (one: Figure): Map<number, Figure> => new Map([[0, one]]);
const [limit, mission] = [figure(20), figure(30, { median: 0.6 })];
const both = { limit: resultOf(at(limit), at(limit)), mission: resultOf(at(mission), at(limit)) };
const run: Run = {
  on: { date: "2026-01-02", Node: "20.20.2", Postfix: "3.7.11" },
  rounds: 7,
  rows: {
    kept: { ...both, "go-smtp": resultOf(at(figure(50)), at(limit)), Postfix: resultOf(at(figure(600)), at(limit)) },
    "open loop, 200 messages a second": both,
    "maildir, 4 KB": { journal: { ...resultOf(at(figure(40, { delivered: 2500 })), at(limit)), later: 48 } },
  },
  idle: { mission: { kibibytes: 5.25, p99: 0.8, p99Ratio: 1.5 } },
  counts: { kept: { calls: 8, garbage: 18_432 }, pipelined: { garbage: 1024 } },
};

const page =
  "# Performance\n\nprose\n\n<!-- made by npm run bench:page: begin -->\n\nold\n\n<!-- end -->\n\nmore prose\n";

test("the tables take the place of the old ones, and the prose stays", () => {
  const made = inPage(page, run);
  expect(made).toMatch(/^# Performance\n\nprose\n\n<!-- made by npm run bench:page: begin -->\n\n\| workload/);
  expect(made).toMatch(/\n\n<!-- end -->\n\nmore prose\n$/);
  expect(made).not.toContain("old");
  expect(inPage(made, run)).toBe(made);
});

test.each([
  ["CPU beside limit, with its spread", "| kept | 20 µs | 1.50 (1.50–1.50) | – | – | – | 2.50 | – | – | 30.00 |"],
  ["mission as a part of another", "| kept | – | – | 0.60 | – | – | 0.05 |"],
  ["what is delivered, and what is done later", "| journal | 40 µs | 2.00 (2.00–2.00) | 48 µs | 2500 |"],
  ["how long messages wait that come at their own time", "|  | mission | 600 µs | 1.20 | 2000 µs | 1.00 |"],
  ["rate, memory and latency", "| kept | limit | 1000 | 0.95 | 64 MiB | 500 µs | 1.00 | 2000 µs | 1.00 |"],
  ["idle connections", "| mission | 5.3 KiB | 800 µs | 1.50 |"],
  ["counts", "| kept | 8.00 | 18.0 KiB |"],
  ["what could not be counted", "| pipelined | – | 1.0 KiB |"],
  ["what it was measured on", "Measured on 2026-01-02, Node 20.20.2, Postfix 3.7.11; 7 rounds."],
])("a page tells %s", (_what, line) => expect(inPage(page, run)).toContain(line));

test("a page without a place for them is left alone", () => {
  expect(() => inPage("# Performance\n", run)).toThrow("the page has no <!-- made by");
});
