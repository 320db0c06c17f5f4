import { type Plugin, type StandardSchema, definePlugin } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { open, plugin } from "../support/dialogue.ts";
import { problemsOf } from "../support/problems.ts";

interface Options {
  readonly root: string;
  readonly depth?: number;
}

const schema = v.strictObject({
  root: v.pipe(v.string(), v.minLength(1, "a folder is wanted")),
  depth: v.optional(v.number()),
  users: v.optional(v.array(v.object({ name: v.string() }))),
});
const keys = Object.keys(schema.entries);
const make = definePlugin<Options>({
  name: "store",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema: schema as never, keys },
  apply: () => {},
});

const wrong = (options: unknown) => problemsOf({ plugins: [sink(), make(options as Options)] });

describe("options", () => {
  test("that fit are handed over as the schema returns them", async () => {
    let seen: unknown;
    const upper: StandardSchema<Options> = {
      "~standard": { version: 1, vendor: "test", validate: () => ({ value: { root: "FROM SCHEMA" } }) },
    };
    const tell = definePlugin<Options>({
      name: "tell",
      version: "1.0.0",
      core: "^1.0.0",
      options: { schema: upper, keys: ["root"] },
      apply: (_, options) => void (seen = options),
    });
    await open({ plugins: [sink(), tell({ root: "given" })] });
    expect(seen).toEqual({ root: "FROM SCHEMA" });
  });

  test("without a schema are handed over as they are", async () => {
    let seen: unknown;
    const tell = definePlugin<{ any?: number }>({
      name: "tell",
      version: "1.0.0",
      core: "^1.0.0",
      apply: (_, options) => void (seen = options),
    });
    await open({ plugins: [sink(), tell({ any: 1 })] });
    expect(seen).toEqual({ any: 1 });
  });

  test("unknown keys are told once, with the likely one", async () => {
    expect(await wrong({ root: "x", deptth: 1 })).toEqual([
      {
        code: "UNKNOWN_OPTION",
        where: "plugins[1].options.deptth",
        what: "plugin store has no option deptth",
        mend: "Did you mean depth?",
      },
    ]);
    expect(await wrong({ root: "x", elsewhere: 1 })).toMatchObject([{ mend: "It knows: root, depth, users." }]);
  });

  test("that are wrong are told with their path", async () => {
    expect(await wrong({ root: "" })).toEqual([
      {
        code: "BAD_OPTION",
        where: "plugins[1].options.root",
        what: "option root of plugin store: a folder is wanted",
        mend: "See the options of store.",
      },
    ]);
    expect(await wrong({ root: "x", users: [{ name: "a" }, { name: 1 }] })).toMatchObject([
      { where: "plugins[1].options.users[1].name" },
    ]);
    expect(await wrong({})).toMatchObject([{ where: "plugins[1].options.root" }]);
    expect(await wrong({ root: 1, depth: "x" })).toHaveLength(2);
    expect(await wrong("a text")).toMatchObject([
      { where: "plugins[1].options", what: expect.stringContaining("option list") },
    ]);
    expect(await wrong(null)).toMatchObject([{ where: "plugins[1].options.root" }]);
  });

  test("of a plugin of one listener are told with its path", async () => {
    const problems = await problemsOf({
      plugins: [sink()],
      listeners: [{ port: 0 }, { port: 0, plugins: [make({ root: "" })] }],
    });
    expect(problems).toMatchObject([{ where: "listeners[1].plugins[0].options.root" }]);
  });

  const checking = (validate: StandardSchema<Options>["~standard"]["validate"]): Plugin =>
    definePlugin<Options>({
      name: "store",
      version: "1.0.0",
      core: "^1.0.0",
      options: { schema: { "~standard": { version: 1, vendor: "test", validate } }, keys },
      apply: () => {},
    })({ root: "x" });

  test("may be checked asynchronously, with paths of symbols and without", async () => {
    const plugins = [
      sink(),
      checking(async () => ({
        issues: [{ message: "no" }, { message: "nor this", path: [{ key: "a" }, Symbol("b"), 0] }],
      })),
    ];
    expect((await problemsOf({ plugins })).map(({ where }) => where)).toEqual([
      "plugins[1].options",
      "plugins[1].options.a.Symbol(b)[0]",
    ]);
  });

  test("a check that throws is a problem, not a crash", async () => {
    const plugins = [
      sink(),
      checking(() => {
        throw new Error("oops");
      }),
    ];
    expect(await problemsOf({ plugins })).toMatchObject([
      { code: "BAD_OPTION", what: "option list of plugin store: oops" },
    ]);
  });

  test.each<[string, unknown, string]>([
    ["nothing", undefined, "Cannot read properties of undefined (reading 'issues')"],
    ["neither a value nor issues", {}, "its schema gives neither a value nor issues"],
    ["issues that are no list", { issues: 7 }, "result.issues.map is not a function"],
    [
      "an issue that is none",
      { issues: [null] },
      "Cannot destructure property 'message' of 'object null' as it is null.",
    ],
  ])("a check that gives %s is a problem, and what others opened is closed", async (_, result, message) => {
    const diary: string[] = [];
    const opener = plugin("opener", (host) => host.onClose(() => void diary.push("closed")));
    const plugins = [sink(), opener, checking(() => result as never)];
    expect(await problemsOf({ plugins })).toMatchObject([
      { code: "BAD_OPTION", what: `option list of plugin store: ${message}` },
    ]);
    expect(diary).toEqual(["closed"]);
  });
});
