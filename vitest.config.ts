import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const report = process.env["VITEST_REPORT"];

export default defineConfig({
  ssr: { resolve: { conditions: ["@mailhost/source", "node", "import", "default"] } },
  test: {
    include: [
      "*/test/**/*.test.ts",
      "examples/greylist/test/*.test.ts",
      "examples/third-party/*/*.test.ts",
      "plugins/*/test/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    exclude: ["**/node_modules/**", "test/*.work/**"],
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
