import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["@mailhost/source", "node", "import", "default"] } },
  test: {
    include: ["*/test/**/*.test.ts", "plugins/*/test/**/*.test.ts"],
    testTimeout: 20_000,
    execArgv: ["-C", "@mailhost/source"],
    coverage: {
      provider: "v8",
      include: ["core/src/**/*.ts"],
      exclude: ["core/src/index.ts"],
      reporter: ["text-summary", "json-summary", "lcov"],
      thresholds: { branches: 95 },
    },
  },
});
