import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundled } from "./bundle.ts";
import { readCorpus } from "./corpus.ts";
import { fuzzSockets } from "./sockets/sessions.ts";
import { watched } from "./watch.ts";

// The short form of `npm run fuzz` and `npm run fuzz:sockets`: all of the kept corpus, some seconds of mutations, some
// hundred sessions. FUZZ_SEED holds them again with the seed that was printed.

// What is submitted is not held to inputs that nobody has seen: those are for `npm run fuzz`, and for whoever runs the tests
const given = process.env["FUZZ_SEED"] ?? (process.env["CI"] === undefined ? undefined : 20_261_126);
const seed = Number(given ?? Date.now() % 2 ** 31);
const folder = join(import.meta.dirname, "corpus");

describe("nothing that is sent breaks a law", () => {
  let program: Awaited<ReturnType<typeof bundled>>;
  beforeAll(async () => void (program = await bundled("worker.ts")), 180_000);
  afterAll(() => program.remove());

  test.each([
    ["grammar", 1500],
    ["framing", 1000],
    ["dialogue", 3000],
  ] as const)("%s", { timeout: 180_000 }, async (target, milliseconds) => {
    console.info(`${target}: seed ${seed}`);
    const { runs, findings } = await watched(program.file, { target, folder, seed, milliseconds, keep: false });
    expect(findings).toEqual([]);
    expect(runs).toBeGreaterThan(readCorpus(folder, target).length);
  });
});

// What it has open is read from /proc
test.skipIf(process.platform !== "linux")(
  "a server outlives mutated sessions over sockets",
  { timeout: 180_000 },
  async () => {
    console.info(`sockets: seed ${seed}`);
    const { sessions, problems } = await fuzzSockets(300, seed);
    expect(problems).toEqual([]);
    expect(sessions).toBe(300);
  },
);
