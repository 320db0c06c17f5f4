import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const report = process.env["VITEST_REPORT"];

/** In memory, small and many: half of their time would be starting a process and importing core for each. */
const together = ["core/test/**/*.test.ts", "plugins/*/test/**/*.test.ts"];

/** Of those, what replaces modules or looks at the heap, and has a process of its own like all others. */
const apart = [
  "core/test/host/prerelease.test.ts",
  "core/test/message/spool-{close,files}.test.ts",
  "core/test/session/leaks.test.ts",
  "plugins/*/test/contract.test.ts",
  "plugins/maildir/test/parallel.test.ts",
  "plugins/waterfall/test/spans.test.ts",
  "plugins/webhook/test/big.test.ts",
];
const never = ["**/node_modules/**", "test/*.work/**"];

export default defineConfig({
  ssr: { resolve: { conditions: ["@mailhost/source", "node", "import", "default"] } },
  test: {
    projects: [
      { extends: true, test: { name: "together", isolate: false, include: together, exclude: [...never, ...apart] } },
      {
        extends: true,
        test: {
          name: "apart",
          include: [
            ...apart,
            "{cli,testkit}/test/**/*.test.ts",
            "examples/greylist/test/*.test.ts",
            "examples/third-party/*/*.test.ts",
            "test/**/*.test.ts",
          ],
          exclude: never,
        },
      },
    ],
    globalSetup: "test/support/packed-folder.ts",
    testTimeout: 60_000,
    // One more than there are cores: many tests wait for disks and clocks
    maxWorkers: availableParallelism() + 1,
    execArgv: ["-C", "@mailhost/source"],
    reporters: report === undefined ? ["default"] : ["default", ["json", { outputFile: report }]],
    coverage: {
      provider: "v8",
      include: ["core/src/**/*.ts"],
      exclude: ["core/src/index.ts"],
      reporter: ["text-summary", "json-summary"],
      thresholds: { branches: 95 },
    },
  },
});
