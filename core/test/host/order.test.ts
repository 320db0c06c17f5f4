import { type TapOptions, definePlugin } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Stage } from "../../src/host/hooks.ts";
import { type Placed, orderTaps } from "../../src/host/order.ts";
import { open, opened, plugin } from "../support/dialogue.ts";
import { problemsOf } from "../support/problems.ts";

const placed = (name: string, parts: Partial<Placed> = {}): Placed => ({
  plugin: name,
  stage: "normal",
  before: [],
  after: [],
  ...parts,
});
const names = (taps: readonly Placed[]): string =>
  orderTaps(taps, "rcpt")
    .ordered.map((tap) => tap.plugin)
    .join(" ");

describe("taps stand", () => {
  test("in configuration order", () => expect(names([placed("a"), placed("b"), placed("c")])).toBe("a b c"));

  test("in stages", () => {
    const taps = [
      placed("a", { stage: "last" }),
      placed("b"),
      placed("c", { stage: "first" }),
      placed("d", { stage: "first" }),
    ];
    expect(names(taps)).toBe("c d b a");
  });

  test("before and after others", () => {
    expect(names([placed("a", { after: ["c"] }), placed("b"), placed("c")])).toBe("b c a");
    expect(names([placed("a"), placed("b"), placed("c", { before: ["a"] })])).toBe("b c a");
  });

  test("after a plugin of a later stage, when they must", () => {
    expect(names([placed("a", { stage: "first", after: ["b"] }), placed("b", { stage: "last" })])).toBe("b a");
  });

  test("several of one plugin in the order they were made", () => {
    expect(names([placed("a", { after: ["a"] }), placed("a"), placed("b", { before: ["a"] })])).toBe("b a a");
  });

  test("with the reason beside each", () => {
    const taps = [
      placed("a", { after: ["c"], before: ["b"] }),
      placed("b"),
      placed("c"),
      placed("d", { stage: "last" }),
    ];
    const { ordered } = orderTaps(taps, "rcpt");
    expect(ordered.map(({ plugin: name, why }) => `${name}: ${why}`)).toEqual([
      "c: configuration order; others wait",
      "a: configuration order; after c; before b",
      "b: configuration order",
      "d: stage last",
    ]);
  });
});

test("a cycle is a problem that names its plugins", () => {
  const { problems } = orderTaps([placed("a", { after: ["b"] }), placed("b", { after: ["a"] }), placed("c")], "rcpt");
  expect(problems).toMatchObject([{ code: "ORDER_CYCLE" }]);
  expect(problems[0]?.what).toBe("in hook rcpt, a and b each want to come before the other");
});

test("every order keeps what was asked for, or names a cycle", () => {
  const known = ["a", "b", "c", "d", "e"];
  const some = fc.subarray(known, { maxLength: 2 });
  const tap = fc.record({
    plugin: fc.constantFrom(...known),
    stage: fc.constantFrom<Stage>("first", "normal", "last"),
    before: some,
    after: some,
  });
  fc.assert(
    fc.property(fc.array(tap, { maxLength: 7 }), (taps) => {
      const { ordered, problems } = orderTaps(taps, "rcpt");
      if (problems.length > 0) {
        expect(ordered.length).toBeLessThan(taps.length);
        return;
      }
      expect(ordered).toHaveLength(taps.length);
      for (const [index, one] of ordered.entries())
        for (const later of ordered.slice(index + 1)) {
          if (one.plugin === later.plugin) continue;
          expect(one.after).not.toContain(later.plugin);
          expect(later.before).not.toContain(one.plugin);
        }
    }),
    { numRuns: 2000 },
  );
});

describe("on a server", () => {
  const note = (diary: string[], name: string, options: Partial<TapOptions> = {}, rest: object = {}) =>
    plugin(name, ({ hooks }) => hooks.rcpt.tap({ name, ...options }, () => void diary.push(name)), rest);

  test("the taps run in the order they were put in", async () => {
    const diary: string[] = [];
    const plugins = [
      sink(),
      note(diary, "a", {}, { requires: ["c"] }),
      note(diary, "b", { stage: "first" }),
      note(diary, "c", {}, { after: ["d"] }),
      note(diary, "d", {}, { before: ["a"] }),
    ];
    const { say, hear, server } = await open({ plugins });
    say(...opened, "RCPT TO:<joe@example.com>");
    await hear(9);
    expect(diary).toEqual(["b", "d", "c", "a"]);
    const planned = server.generations[0]?.taps.filter((tap) => tap.hook === "rcpt").map((tap) => tap.plugin);
    expect(planned).toEqual(["b", "sink", "d", "c", "a"]);
  });

  test("a plugin under another name is still found by its own", async () => {
    const diary: string[] = [];
    const make = definePlugin({
      name: "judge",
      version: "1.0.0",
      core: "^1.0.0",
      apply: ({ name, hooks }) => hooks.rcpt.tap(name, () => void diary.push(name)),
    });
    const plugins = [
      sink(),
      note(diary, "a", {}, { requires: ["judge"] }),
      make({}, { as: "one" }),
      make({}, { as: "two" }),
    ];
    const { say, hear } = await open({ plugins });
    say(...opened, "RCPT TO:<joe@example.com>");
    await hear(9);
    expect(diary).toEqual(["one", "two", "a"]);
  });

  test("an unknown name is a problem, with the likely one", async () => {
    const problems = await problemsOf({
      plugins: [sink(), note([], "a", { after: ["snik"] }), note([], "b", { before: ["elsewhere"] })],
    });
    expect(problems).toMatchObject([
      { code: "UNKNOWN_ORDER", mend: "Did you mean sink?" },
      { code: "UNKNOWN_ORDER", mend: "Add that plugin or remove the wish." },
    ]);
  });

  test("a cycle is a problem", async () => {
    const problems = await problemsOf({
      plugins: [sink(), note([], "a", { after: ["b"] }), note([], "b", { after: ["a"] })],
    });
    expect(problems).toMatchObject([{ code: "ORDER_CYCLE" }]);
  });

  test("taps of a queue are ordered by transport", async () => {
    const judge = (name: string, after: string[]) =>
      plugin(name, ({ hooks }) => hooks.queue.for("sink").tap({ name, after }, () => {}));
    const { server } = await open({ plugins: [judge("a", ["b"]), judge("b", []), sink()] });
    const planned = server.generations[0]?.taps.filter((tap) => tap.hook === "queue sink");
    expect(planned?.map(({ plugin: name, kind }) => `${name} ${kind}`)).toEqual(["b sync", "a sync", "sink promise"]);
  });
});
