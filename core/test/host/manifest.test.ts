import { type PluginDefinition, coreVersion, definePlugin, isPlugin, isPluginFactory } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { accepts } from "../../src/host/manifest.ts";
import { open } from "../support/dialogue.ts";
import { codes, problemsOf } from "../support/problems.ts";

const make = (parts: Partial<PluginDefinition<Record<string, never>>> = {}) =>
  definePlugin({ name: "one", version: "1.2.3", core: "^1.0.0", apply: () => {}, ...parts });

describe("the version of core", () => {
  test.each(["^1.0.0", ">=1", "*", coreVersion])("%s fits", async (core) => {
    expect(await problemsOf({ plugins: [sink(), make({ core })()] })).toEqual([]);
  });

  test.each(["^2.0.0", "<1.0.0"])("%s does not", async (core) => {
    const problems = await problemsOf({ plugins: [sink(), make({ core })()] });
    expect(codes(problems)).toEqual(["CORE_VERSION"]);
    expect(problems[0]).toMatchObject({
      where: "plugins[1]",
      what: `plugin one 1.2.3 wants @mailhost/core ${core}, have ${coreVersion}`,
      mend: `Update one, or install the core it wants: npm install @mailhost/core@"${core}"`,
      update: { where: "plugins[1]", range: "latest" },
    });
  });
});

describe("a prerelease comes before its release and behind the one before", () => {
  test.each([
    ["^1.0.0", "1.1.0-rc.1", true],
    ["^1.1.0", "1.1.0-rc.1", false],
    ["^1.1.0-rc.1", "1.1.0-rc.1", true],
    ["^1.1.0-rc.1", "1.1.0-rc.2", true],
    ["^1.1.0-rc.2", "1.1.0-rc.1", false],
    ["^1.1.0-rc.1", "1.1.0", true],
    ["^1.1.0-rc.1", "1.2.0-rc.1", true],
    ["^1.0.0", "2.0.0-rc.1", false],
    ["^2.0.0", "2.0.0-rc.1", false],
    ["^2.0.0-0", "2.0.0-rc.1", true],
    [">=1", "2.0.0-rc.1", true],
    ["*", "1.0.0-rc.1", true],
  ])("%s takes %s: %s", (range, version, taken) => {
    expect(accepts(range, version)).toBe(taken);
  });

  test("among plugins too", async () => {
    const early = make({ version: "1.1.0-rc.1" })();
    const wants = (range: string) => make({ name: "asking", requires: { one: range } })();
    expect(await problemsOf({ plugins: [sink(), early, wants("^1.0.0")] })).toEqual([]);
    expect(await problemsOf({ plugins: [sink(), early, wants("^1.1.0")] })).toMatchObject([
      { code: "MISSING_REQUIREMENT", what: "plugin asking wants one ^1.1.0, have 1.1.0-rc.1" },
    ]);
  });
});

describe("a manifest that cannot be read", () => {
  // What the compiler does not let TypeScript say
  const untyped = (parts: object) => make(parts as Partial<PluginDefinition<Record<string, never>>>);

  test.each<[object, string]>([
    [{ core: "no range" }, 'core "no range" is no range of versions'],
    [{ core: undefined }, "core (nothing) is no range of versions"],
    [{ version: "1.0" }, 'version "1.0" is none'],
    [{ version: undefined }, "version (nothing) is none"],
    [{ requires: { sink: "one or two" } }, 'requires "one or two" of sink, which is no range of versions'],
    [{ requires: { sink: 1 } }, "requires 1 of sink, which is no range of versions"],
    [{ requires: "sink" }, "requires is no list of names"],
    [{ before: "sink" }, "before is no list of names"],
    [{ after: [1] }, "after is no list of names"],
    [{ onFailure: "explode" }, 'onFailure "explode" is neither defer nor ignore'],
    [{ onFailure: { rctp: "ignore" } }, "onFailure names the hook rctp, which is none; did you mean rcpt?"],
    [{ onFailure: { rcpt: "pass" } }, 'onFailure of rcpt, "pass", is neither defer nor ignore'],
    [{ options: { schema: {}, keys: [] } }, "options has no schema and keys"],
    [{ options: { schema: { "~standard": {} } } }, "options has no schema and keys"],
    [{ apply: undefined }, "there is no apply"],
  ])("%j", async (parts, what) => {
    const problems = await problemsOf({ plugins: [sink(), untyped(parts)()] });
    expect(problems).toMatchObject([
      { code: "BAD_MANIFEST", where: "plugins[1]", what: `the manifest of plugin one: ${what}` },
    ]);
  });

  test("everything at once, and of the others too", async () => {
    const broken = untyped({ core: "one", version: "y", requires: { nobody: "z" }, before: "sink" })();
    const problems = await problemsOf({ plugins: [sink(), broken, make({ name: "two", core: "^9.0.0" })()] });
    expect(codes(problems)).toEqual([...Array.from({ length: 4 }, () => "BAD_MANIFEST"), "CORE_VERSION"]);
  });

  test("a plugin without a name", async () => {
    const problems = await problemsOf({ plugins: [sink(), untyped({ name: undefined })()] });
    expect(problems).toMatchObject([{ code: "BAD_MANIFEST", where: "plugins[1]" }]);
  });

  test("a hook that is none, in a placement", async () => {
    const placed = make()({}, { onFailure: JSON.parse('{ "dta": "ignore" }') });
    const problems = await problemsOf({ plugins: [sink(), placed] });
    expect(problems).toMatchObject([
      {
        code: "BAD_OPTION",
        where: "plugins[1].onFailure",
        what: "onFailure of plugin one names the hook dta, which is none; did you mean data?",
      },
    ]);
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
    const full = definePlugin<{ wait?: number | undefined }>({
      name: "one",
      version: "1.2.3",
      core: "^1.0.0",
      requires: { sink: ">=1" },
      before: ["later"],
      after: ["sink"],
      options: { schema: v.strictObject({ wait: v.optional(v.number()) }), keys: ["wait"] },
      apply(host) {
        host.extend({ rcptParameters: { XWAIT: { octets: 10, problem: () => undefined } }, gate: () => undefined });
        host.hooks.trace.tap("watch", () => {});
        host.hooks.rcpt.tap("judge", () => {});
      },
    });
    const later = make({ name: "later", requires: ["one"] });
    const { server } = await open({ plugins: [sink(), full({}, { as: "two" }), later()] });
    const plain = { core: "^1.0.0", requires: {}, before: [], after: [], options: undefined, watches: false };
    expect(server.generations[0]?.plugins).toEqual([
      {
        ...plain,
        name: "sink",
        package: "sink",
        version: "1.0.0",
        where: "plugins[0]",
        provides: ["local transport sink"],
      },
      {
        name: "two",
        package: "one",
        version: "1.2.3",
        where: "plugins[1]",
        core: "^1.0.0",
        requires: { sink: ">=1" },
        before: ["later"],
        after: ["sink"],
        options: ["wait"],
        provides: ["RCPT parameter XWAIT", "gate before every command"],
        watches: true,
      },
      {
        ...plain,
        name: "later",
        package: "later",
        version: "1.2.3",
        where: "plugins[2]",
        requires: { one: "*" },
        provides: [],
      },
    ]);
    const [tap] = server.generations[0]?.taps.filter(({ plugin }) => plugin === "two") ?? [];
    expect(tap).toMatchObject({ hook: "rcpt", tap: "judge", before: ["later"], after: ["sink"] });
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
