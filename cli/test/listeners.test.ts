import { describe, expect, test } from "vitest";
import { folder, run } from "./support.ts";

// Each listener has its own set of plugins, and one plugin may stand twice under two names: in every format. In programs: core/test/host/placement.test.ts.

const json = `{
  "listeners": [
    { "name": "in", "port": 2525 },
    {
      "name": "inner",
      "port": 2526,
      "plugins": [
        { "plugin": "maildir", "as": "archive", "options": { "root": "./archive" } },
        ["./judge.mjs", { "word": "inner" }]
      ],
      "default": { "local": "archive" }
    }
  ],
  "plugins": [
    ["maildir", { "root": "./mail" }],
    { "plugin": "./judge.mjs", "as": "strict", "options": { "word": "both" }, "onFailure": "ignore" }
  ],
  "default": { "local": "maildir" }
}`;

const yaml = `listeners:
  - { name: in, port: 2525 }
  - name: inner
    port: 2526
    plugins:
      - plugin: maildir
        as: archive
        options:
          root: ./archive
      - [./judge.mjs, { word: inner }]
    default: { local: archive }
plugins:
  - [maildir, { root: ./mail }]
  - plugin: ./judge.mjs
    as: strict
    options: { word: both }
    onFailure: ignore
default: { local: maildir }
`;

const typed = `import { defineConfig } from "mailhost";
import maildir from "@mailhost/plugin-maildir";
export default defineConfig({
  listeners: [
    { name: "in", port: 2525 },
    {
      name: "inner",
      port: 2526,
      plugins: [maildir({ root: "./archive" }, { as: "archive" }), ["./judge.mjs", { word: "inner" }]],
      default: { local: "archive" },
    },
  ],
  plugins: [
    maildir({ root: "./mail" }),
    { plugin: "./judge.mjs", as: "strict", options: { word: "both" }, onFailure: "ignore" },
  ],
  default: { local: "maildir" },
});
`;

const judge = `import { definePlugin } from "@mailhost/core";
const validate = (value) => typeof value.word === "string" ? { value } : { issues: [{ message: "is no word", path: ["word"] }] };
export default definePlugin({
  name: "judge", version: "1.0.0", core: "^1.0.0",
  options: { schema: { "~standard": { version: 1, vendor: "by hand", validate } }, keys: ["word"] },
  apply(host, { word }) {
    host.extend({ keywords: { ["X" + host.name]: () => word } });
    host.hooks.rcpt.tap("judge", () => {});
  },
});
`;

const formats: readonly (readonly [file: string, text: string])[] = [
  ["mailhost.config.mts", typed],
  ["mailhost.config.ts", typed],
  ["mailhost.config.mjs", typed],
  ["mailhost.config.js", typed],
  ["mailhost.config.cts", `const config: object = ${json};\nmodule.exports = config;\n`],
  ["mailhost.config.cjs", `module.exports = ${json};\n`],
  ["mailhost.config.json", json],
  ["mailhost.config.yaml", yaml],
  [".mailhostrc", yaml],
  [".mailhostrc.json", json],
  [".mailhostrc.yaml", yaml],
  ["package.json", `{ "type": "module", "mailhost": ${json} }`],
];

const filesOf = (file: string, text: string): Record<string, string> => ({
  "package.json": '{ "type": "module" }',
  "judge.mjs": judge,
  [file]: text,
});

describe.each(formats)("%s", (file, text) => {
  test("per-listener plugins, and the same plugin twice", async () => {
    const { out, err } = await run(["plugins", "--json"], { cwd: folder(filesOf(file, text)) });
    expect(err).toBe("");
    const listeners: { plugins: { name: string; package: string; where: string; provides: string[] }[] }[] =
      JSON.parse(out);
    const seen = listeners.map(({ plugins }) =>
      plugins.map(({ name, package: own, where, provides }) => `${where} ${own} as ${name}: ${provides.join()}`),
    );
    const common = [
      "plugins[0] maildir as maildir: local transport maildir",
      "plugins[1] judge as strict: keyword Xstrict",
    ];
    expect(seen).toEqual([
      common,
      [
        ...common,
        "listeners[1].plugins[0] maildir as archive: local transport archive",
        "listeners[1].plugins[1] judge as judge: keyword Xjudge",
      ],
    ]);
  });
});

describe("an option the factory lacks, one of the wrong type: start-up errors with file and line", () => {
  test.each([
    ["mailhost.config.json", json, 8, 9],
    ["mailhost.config.yaml", yaml, 9, 10],
    [".mailhostrc", yaml, 9, 10],
    ["package.json", `{ "type": "module", "mailhost": ${json} }`, 8, 9],
    ["mailhost.config.mts", typed, undefined, undefined],
  ])("%s", async (file, text, first, second) => {
    const wrong = text.replace(/(?<="?word"?: )"?inner"?/, "7").replace(/\broot(?="?: "?\.\/archive)/, "rooot");
    const { code, err } = await run(["start"], { cwd: folder(filesOf(file, wrong)) });
    expect(code).toBe(78);
    const at = (line: number | undefined, where: string): RegExp =>
      new RegExp(
        `  ${file.replaceAll(".", "\\.")}${line === undefined ? "" : `:${line}:\\d+`} ${where.replaceAll(/[[\].]/g, "\\$&")}\n`,
      );
    expect(err).toMatch(at(first, "listeners[1].plugins[0].options.rooot"));
    expect(err).toContain("plugin archive has no option rooot");
    expect(err).toContain("Did you mean root?");
    expect(err).toMatch(at(second, "listeners[1].plugins[1].options.word"));
    expect(err).toContain("option word of plugin judge: is no word");
  });
});
