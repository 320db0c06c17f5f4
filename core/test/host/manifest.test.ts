import { type PluginDefinition, coreVersion, definePlugin, isPlugin, isPluginFactory } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { open } from "../support/dialogue.ts";
import { codes, problemsOf } from "../support/problems.ts";

const make = (parts: Partial<PluginDefinition<Record<string, never>>> = {}) =>
  definePlugin({ name: "one", version: "1.2.3", core: "^1.0.0", apply: () => {}, ...parts });

describe("the version of core", () => {
  test.each(["^1.0.0", ">=1", "*", coreVersion])("%s fits", async (core) => {
    expect(await problemsOf({ plugins: [sink(), make({ core })()] })).toEqual([]);
  });

  test.each(["^2.0.0", "<1.0.0", "no range"])("%s does not", async (core) => {
    const problems = await problemsOf({ plugins: [sink(), make({ core })()] });
    expect(codes(problems)).toEqual(["CORE_VERSION"]);
    expect(problems[0]).toMatchObject({
      where: "plugins[1]",
      what: `plugin one 1.2.3 wants @mailhost/core ${core}, have ${coreVersion}`,
    });
  });
});

describe("requirements", () => {
  const asking = (requires: PluginDefinition<never>["requires"]) =>
    make({
      name: "asking",
      ...(requires === undefined ? {} : { requires }),
      apply: ({ hooks }) => hooks.ehlo.tap("asking", () => {}),
    })();

  test.each<[string, PluginDefinition<never>["requires"]]>([
    ["none", undefined],
    ["a name", ["one"]],
    ["a range", { one: "^1.0.0" }],
  ])("%s that is there", async (_, requires) => {
    expect(await problemsOf({ plugins: [sink(), make()(), asking(requires)] })).toEqual([]);
  });

  test("by the plugin's own name, when it stands under another", async () => {
    expect(await problemsOf({ plugins: [sink(), make()({}, { as: "other" }), asking(["one"])] })).toEqual([]);
  });

  test("that are missing are told once", async () => {
    const problems = await problemsOf({ plugins: [sink(), asking(["one"])] });
    expect(codes(problems)).toEqual(["MISSING_REQUIREMENT"]);
    expect(problems[0]).toMatchObject({ mend: "Add one to plugins." });
  });

  test("of another version are told with both", async () => {
    const problems = await problemsOf({ plugins: [sink(), make()(), asking({ one: "^2.0.0" })] });
    expect(problems).toMatchObject([
      { code: "MISSING_REQUIREMENT", what: "plugin asking wants one ^2.0.0, have 1.2.3" },
    ]);
  });
});

describe("names", () => {
  test("two of one name are a problem, and `as` mends it", async () => {
    const one = make();
    expect(codes(await problemsOf({ plugins: [sink(), one(), one()] }))).toEqual(["DUPLICATE_NAME"]);
    expect(await problemsOf({ plugins: [sink(), one(), one({}, { as: "two" })] })).toEqual([]);
  });

  test("a generation tells what stands in it", async () => {
    const { server } = await open({ plugins: [sink(), make()({}, { as: "two" })] });
    expect(server.generations[0]?.plugins).toEqual([
      { name: "sink", package: "sink", version: "1.0.0", core: "^1.0.0", provides: ["local transport sink"] },
      { name: "two", package: "one", version: "1.2.3", core: "^1.0.0", provides: [] },
    ]);
  });
});

test("every problem is told at once", async () => {
  const problems = await problemsOf({
    plugins: [make({ core: "^9.0.0", requires: ["nobody"] })(), make()()],
    default: { local: "nowhere" },
  });
  expect(codes(problems)).toEqual([
    "CORE_VERSION",
    "DUPLICATE_NAME",
    "MISSING_REQUIREMENT",
    "NO_HANDLER",
    "BAD_LISTENER",
  ]);
});

describe("brands", () => {
  test("tell a plugin and its factory from anything else", () => {
    const factory = make();
    expect([isPluginFactory(factory), isPlugin(factory)]).toEqual([true, false]);
    expect([isPluginFactory(factory()), isPlugin(factory())]).toEqual([false, true]);
    for (const other of [undefined, null, 1, "one", {}, () => {}, { [Symbol.for("mailhost.plugin")]: "other" }])
      expect([isPluginFactory(other), isPlugin(other)]).toEqual([false, false]);
  });

  test("of another copy of core are understood", async () => {
    const foreign = { ...sink() };
    expect(Object.getOwnPropertySymbols(foreign)).toEqual([Symbol.for("mailhost.plugin")]);
    expect(await problemsOf({ plugins: [foreign] })).toEqual([]);
  });
});
