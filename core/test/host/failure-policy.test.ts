import { type OnFailure, type Placement, definePlugin } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { open, opened } from "../support/dialogue.ts";

type Policy = OnFailure | { readonly rcpt?: OnFailure; readonly ehlo?: OnFailure };

// The configuration knows best, then the tap, then the plugin, then core
test.each<[placement: Policy | undefined, tap: OnFailure | undefined, definition: Policy | undefined, code: string]>([
  [undefined, undefined, undefined, "451"],
  [undefined, undefined, "ignore", "250"],
  [undefined, undefined, "defer", "451"],
  [undefined, undefined, { rcpt: "ignore" }, "250"],
  [undefined, undefined, { ehlo: "ignore" }, "451"],
  [undefined, "ignore", "defer", "250"],
  [undefined, "defer", "ignore", "451"],
  ["ignore", "defer", "defer", "250"],
  ["defer", "ignore", "ignore", "451"],
  [{ rcpt: "ignore" }, "defer", undefined, "250"],
  [{ ehlo: "ignore" }, "defer", "ignore", "451"],
  [{ ehlo: "ignore" }, undefined, "ignore", "250"],
])("configuration %o, tap %o, plugin %o: %s", async (configured, tap, definition, code) => {
  const make = definePlugin({
    name: "bad",
    version: "1.0.0",
    core: "^1.0.0",
    ...(definition === undefined ? {} : { onFailure: definition }),
    apply({ hooks }) {
      hooks.rcpt.tap({ name: "bad", ...(tap === undefined ? {} : { onFailure: tap }) }, () => {
        throw new Error("oops");
      });
    },
  });
  const placement: Placement = configured === undefined ? {} : { onFailure: configured };
  const { say, hear, server } = await open({ plugins: [sink(), make({}, placement)] });
  say(...opened, "RCPT TO:<joe@example.com>");
  expect((await hear(9)).at(-1)).toMatch(new RegExp(`^${code} `));
  const planned = server.generations[0]?.taps.find((one) => one.plugin === "bad");
  expect(planned?.onFailure).toBe(code === "250" ? "ignore" : "defer");
});
