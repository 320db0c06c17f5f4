import { type PluginDefinition, definePlugin, isPlugin, mailhost } from "@mailhost/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { reasonBetween } from "../src/manifest/relation.ts";

const names = ["a", "b", "c", "d", "e"];
const some = fc.uniqueArray(fc.constantFrom(...names), { maxLength: 2 });
const stage = fc.constantFrom("first" as const, "normal" as const, "last" as const);
const manifests = fc
  .tuple(...names.map(() => fc.record({ before: some, after: some, requires: some, stages: fc.array(stage) })))
  .chain((all) => fc.shuffledSubarray(all.map((one, index) => ({ ...one, name: names[index] ?? "" }))));

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const transport = definePlugin({
  name: "transport",
  version: "1.0.0",
  core: "*",
  apply: (host) => host.extend({ transports: [{ kind: "local", phases: "two" }] }),
})();

test("core's order always has a reason, and it is a true one", async () => {
  let ordered = 0;
  await fc.assert(
    fc.asyncProperty(manifests, async (all) => {
      const plugins = all.map(({ name, stages, ...manifest }) =>
        definePlugin({
          ...({ name, version: "1.0.0", core: "*", ...manifest } satisfies Partial<PluginDefinition<never>>),
          apply(host) {
            for (const [index, where] of stages.entries())
              host.hooks.rcpt.tap({ name: `${name}${index}`, stage: where }, () => {});
          },
        })(),
      );
      expect(plugins.every(isPlugin)).toBe(true);
      const server = mailhost({ plugins: [transport, ...plugins], log: quiet });
      try {
        await server.prepare();
      } catch {
        return; // a cycle, or a name that is not there
      }
      const [generation] = server.generations;
      const taps = generation?.taps ?? [];
      const lineup = { taps, plugins: generation?.plugins ?? [] };
      const position = (name: string): number => lineup.plugins.findIndex((one) => one.name === name);
      for (const [later, other] of taps.entries())
        for (const [earlier, one] of taps.slice(0, later).entries()) {
          const why = reasonBetween(lineup, earlier, later);
          expect(why).not.toMatch(/^$|others/);
          if (why.endsWith(`comes before stage ${other.stage}`)) expect(one.stage).not.toBe(other.stage);
          if (why.includes("configured earlier")) expect(position(one.plugin)).toBeLessThan(position(other.plugin));
          const says = / says after | requires /.test(why);
          if (says) expect(other.after).toContain(one.plugin);
          ordered += 1;
        }
      await server.close();
    }),
    { numRuns: 300 },
  );
  expect(ordered).toBeGreaterThan(100);
});
