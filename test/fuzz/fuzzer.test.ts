import { describe, expect, test } from "vitest";
import { Fuzzer } from "./fuzzer.ts";
import { type Pieces, read, written } from "./input.ts";
import type { Stopwatch, Target } from "./target.ts";

// Whoever looks for faults is tried on faults that were put there.

async function findings(
  run: (text: string, watch: Stopwatch) => number | Promise<number>,
  corpus: readonly Pieces[],
  milliseconds = 500,
) {
  const target: Target = {
    tokens: [".", "\n"],
    most: 200,
    run: async (pieces, watch) => run(pieces.join(""), watch),
    close: () => Promise.resolve(),
  };
  const fuzzer = new Fuzzer(target, { seed: 1, milliseconds, corpus, about() {} });
  try {
    return (await fuzzer.run()).findings;
  } finally {
    fuzzer.close();
  }
}

/** Keeps everybody waiting, and gives for how long. */
function busy(watch: Stopwatch): number {
  const took = watch();
  const before = process.cpuUsage();
  for (let used = 0; used < 110_000;) {
    for (let sum = 0; sum < 1e6; sum += 1);
    const { user, system } = process.cpuUsage(before);
    used = user + system;
  }
  return took();
}

describe("what is found, and made as small as can be", () => {
  test("a law that is broken", async () => {
    const found = await findings(
      (text) => {
        if (text.includes("\n.\n")) throw new Error("the body ends here");
        return 0;
      },
      [["Subject: x\r\n", "\r\ntext\r\n.\r\n"]],
    );
    expect(found).toEqual([{ what: "the body ends here", input: '["\\n.\\n"]' }]);
  });

  test("a rejection that nobody handles", async () => {
    const found = await findings(
      (text) => {
        if (text.includes("QUIT")) void Promise.reject(new Error("too late"));
        return new Promise((resolve) => setImmediate(() => resolve(0)));
      },
      [["EHLO a\r\nQUIT\r\n"]],
    );
    expect(found).toEqual([{ what: "nobody handled: Error: too late", input: '["QUIT"]' }]);
  });

  test("a stall, unless it is a single one", { timeout: 120_000 }, async () => {
    let once = 0;
    const always = await findings((text, watch) => (text.includes("x") ? busy(watch) : 0), [["x"]], 0);
    expect(always).toEqual([{ what: "a stall of more than 100 ms, four times of four", input: '["x"]' }]);
    expect(await findings((_text, watch) => ((once += 1) === 1 ? busy(watch) : 0), [["a"]], 0)).toEqual([]);
  });
});

test("an input is written as it is read", () => {
  const pieces = ["NOOP\r\n".repeat(300), `x${"y".repeat(13_000)}\0\xff`, "", "~wait"];
  expect(written(pieces)).toBe('[[["NOOP\\r\\n",300]],["x",["y",13000],"\\u0000ÿ"],"","~wait"]');
  expect(read(written(pieces))).toEqual(pieces);
});
