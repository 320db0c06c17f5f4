import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, canDropRights, run, takesAll, write } from "./support.ts";

// What people get wrong, and what they are told: what, where, how to mend.

const lowestPort = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

interface Mistake {
  readonly title: string;
  readonly files: Readonly<Record<string, string>>;
  readonly code?: number;
  readonly says: readonly (string | RegExp)[];
  readonly silentAbout?: readonly string[];
}

const plugin = (definition: string): string =>
  `import { definePlugin } from "@mailhost/core";\nexport default definePlugin({ version: "1.0.0", core: "^1.0.0", apply() {}, ${definition} });\n`;

/** A package with one file, as npm leaves it. */
const installed = (name: string, index: string): Record<string, string> => ({
  [`node_modules/${name}/package.json`]: json({ name, version: "1.0.0", type: "module", exports: "./index.js" }),
  [`node_modules/${name}/index.js`]: index,
});

const json = (value: unknown): string => JSON.stringify(value, undefined, 2);

const mistakes: readonly Mistake[] = [
  {
    title: "an unknown plugin: the npm command",
    files: { "mailhost.config.json": json({ plugins: ["greylist", "./takes.ts"] }), "takes.ts": takesAll },
    says: [
      /mailhost\.config\.json:3:5 plugins\[0\]/,
      "there is no plugin greylist",
      "@mailhost/plugin-greylist, mailhost-plugin-greylist, greylist",
      "npm install mailhost-plugin-greylist",
    ],
    silentAbout: ["no plugin takes messages"],
  },
  {
    title: "a slip in a plugin's name: did you mean",
    files: { "mailhost.config.json": json({ plugins: ["starttsl"] }) },
    says: ["Did you mean starttls?"],
  },
  {
    title: "a name that Node itself has is no plugin",
    files: { "mailhost.config.json": json({ plugins: ["dns"] }) },
    says: ["there is no plugin dns"],
  },
  {
    title: "a plugin file that is not there",
    files: { "mailhost.config.json": json({ plugins: ["./greeting"] }) },
    says: ["there is no plugin file", "./greeting.ts"],
  },
  {
    title: "a file that is no plugin",
    files: { "mailhost.config.json": json({ plugins: ["./greeting.ts"] }), "greeting.ts": "export default () => 1;\n" },
    says: ["is no plugin", "export default definePlugin"],
  },
  {
    title: "a plugin that throws when it is imported",
    files: { "mailhost.config.json": json({ plugins: ["./bad.ts"] }), "bad.ts": 'throw new Error("no licence");\n' },
    says: [/plugin \.\/bad\.ts .*no licence/],
  },
  {
    title: "an unknown option of a plugin: did you mean, with its line",
    files: { "mailhost.config.json": json({ plugins: [["maildir", { rooot: "./mail" }]] }) },
    says: [/mailhost\.config\.json:6:\d+ plugins\[0\]\.options\.rooot/, "no option rooot", "Did you mean root?"],
    silentAbout: ["no plugin takes messages"],
  },
  {
    title: "an unknown setting: did you mean",
    files: { "mailhost.config.yaml": "nmae: mx.example.com\nplugins:\n  - ./takes.ts\n", "takes.ts": takesAll },
    says: [/mailhost\.config\.yaml:1:1 nmae/, "Did you mean name?"],
  },
  {
    title: "an option of the wrong type: path and line",
    files: { "mailhost.config.yaml": "plugins:\n  - - maildir\n    - root: 7\n" },
    says: [/mailhost\.config\.yaml:3:7 plugins\[0\]\.options\.root/, "plugin maildir"],
  },
  {
    title: "a setting of the wrong type: path and line",
    files: { ".mailhostrc": "listeners:\n  - port: twentyfive\nplugins: maildir\n" },
    says: [
      /\.mailhostrc:2:5 listeners\[0\]\.port/,
      'is not a number but "twentyfive"',
      /\.mailhostrc:3:1 plugins/,
      "is not a list",
    ],
  },
  {
    title: "a plugin for another core: want, have, mend",
    files: {
      "mailhost.config.json": json({ plugins: ["old"] }),
      ...installed("mailhost-plugin-old", plugin('name: "old", core: "^7.0.0"')),
    },
    says: [
      "plugin old 1.0.0 wants @mailhost/core ^7.0.0, have 1.",
      "npm install mailhost-plugin-old@latest; if that is no newer, install the core it wants",
    ],
  },
  {
    title: "a plugin file for another core: no package of that name is somebody else's",
    files: { "mailhost.config.json": json({ plugins: ["./old.ts"] }), "old.ts": plugin('name: "old", core: "^7.0.0"') },
    says: [
      "wants @mailhost/core ^7.0.0",
      'Update old, or install the core it wants: npm install @mailhost/core@"^7.0.0"',
    ],
  },
  {
    title: "a required plugin of another version: the package it stands in",
    files: {
      "mailhost.config.json": json({ plugins: ["old", "./asking.ts"] }),
      ...installed("mailhost-plugin-old", plugin('name: "old"')),
      "asking.ts": plugin('name: "asking", requires: { old: "^2.0.0" }'),
    },
    says: ["plugins[1]", "plugin asking wants old ^2.0.0, have 1.0.0", 'npm install mailhost-plugin-old@"^2.0.0"'],
  },
  {
    title: "manifests that cannot be read: all at once, with the line of each plugin",
    files: {
      "mailhost.config.json": json({ plugins: ["./one.mjs", "./two.mjs"] }),
      "one.mjs": plugin('name: "one", core: "one or two", requires: { two: "latest" }, onFailure: { rctp: "ignore" }'),
      "two.mjs": plugin('name: "two", version: "1.0"'),
    },
    says: [
      /^mailhost: 4 problems/,
      /mailhost\.config\.json:3:5 plugins\[0\]\n.*core "one or two" is no range of versions\n.*core: "\^1\.0\.0"/,
      'requires "latest" of two, which is no range of versions',
      "did you mean rcpt?",
      /mailhost\.config\.json:4:5 plugins\[1\]\n.*version "1\.0" is none/,
    ],
    silentAbout: ["no plugin takes messages"],
  },
  {
    title: "the same plugin twice under one name",
    files: { "mailhost.config.json": json({ plugins: ["./takes.ts", "./takes.ts"] }), "takes.ts": takesAll },
    says: ["plugins[1]", "takes-all stands twice", "`as`"],
  },
  {
    title: "two listeners of one name",
    files: {
      "mailhost.config.json": json({
        listeners: [
          { name: "a", port: 2525 },
          { name: "a", port: 2526 },
        ],
        plugins: ["./takes.ts"],
      }),
      "takes.ts": takesAll,
    },
    says: ["listeners[1].name", "two listeners are named a"],
  },
  {
    title: "two listeners on one port",
    files: {
      "mailhost.config.json": json({ listeners: [{ port: 2525 }, { port: 2525 }], plugins: ["./takes.ts"] }),
      "takes.ts": takesAll,
    },
    says: ["listeners[1]", "two listeners are named 2525", "Give each its own port, or its own host and name."],
  },
  {
    title: "a cycle in the order",
    files: {
      "mailhost.config.json": json({ plugins: ["./takes.ts", "./one.ts", "./two.ts"] }),
      "takes.ts": takesAll,
      "one.ts": plugin('name: "one", before: ["two"], apply(host) { host.hooks.rcpt.tap("x", () => {}); }'),
      "two.ts": plugin('name: "two", before: ["one"], apply(host) { host.hooks.rcpt.tap("x", () => {}); }'),
    },
    says: ["in hook rcpt, one and two each want to come before the other"],
  },
  {
    title: "no handler",
    files: { "mailhost.config.json": json({ plugins: [["addressable", { domains: ["example.com"] }]] }) },
    says: ["no plugin takes messages", "fills mailboxes"],
  },
  {
    title: "a key that cannot be read",
    files: {
      "mailhost.config.json": json({
        plugins: ["./takes.ts", ["starttls", { cert: "./cert.pem", key: "./key.pem" }]],
      }),
      "takes.ts": takesAll,
    },
    says: ["plugins[1].options.", "cert.pem"],
  },
  {
    title: "a folder that is not there",
    files: { "mailhost.config.json": json({ spool: "./spool", plugins: ["./takes.ts"] }), "takes.ts": takesAll },
    says: [/mailhost\.config\.json:2:3 spool/, "mkdir -p ./spool"],
  },
  {
    title: "JSON that does not parse",
    files: { "mailhost.config.json": '{\n  "name": "mx.example.com"\n  "plugins": []\n}\n' },
    says: ["mailhost.config.json", "does not parse", "(3:3)"],
  },
  {
    title: "YAML that does not parse",
    files: { "mailhost.config.yaml": "plugins:\n  - [maildir\nname: x\n" },
    says: ["mailhost.config.yaml", "does not parse", /\(\d+:\d+\)/],
  },
  {
    title: "JavaScript that does not parse",
    files: { "mailhost.config.mjs": "export default {\n  plugins: [\n" },
    says: ["mailhost.config.mjs", "syntax error", /mailhost\.config\.mjs:\d\)/],
  },
  {
    title: "TypeScript that does not parse",
    files: { "mailhost.config.mts": "export default {\n  plugins: [,,\n  name: = 3\n" },
    says: ["mailhost.config.mts", /syntax error|could not be loaded/, /mailhost\.config\.mts:\d/],
  },
  {
    title: "a configuration that exports nothing",
    files: { "mailhost.config.mts": "export const config = { plugins: [] };\n" },
    says: ["mailhost.config.mts", "exports no configuration by default", "export default"],
  },
  {
    title: "an empty configuration is not passed over",
    files: { "mailhost.config.json": "" },
    says: ["mailhost.config.json", "holds no configuration"],
  },
  {
    title: "a configuration that cannot find a file of its own is not passed over",
    files: {
      "mailhost.config.mjs":
        'import { readFileSync } from "node:fs";\nexport default { name: readFileSync("name") };\n',
    },
    says: ["mailhost.config.mjs", "ENOENT", /mailhost\.config\.mjs:2/],
  },
  {
    title: "a configuration that imports what is not installed",
    files: { "mailhost.config.mjs": 'import x from "not-here/deep";\nexport default x;\n' },
    says: ["imports not-here, which is not installed", "npm install not-here"],
  },
  {
    title: "a plugin's entry that is none",
    files: {
      "mailhost.config.json": json({
        plugins: [7, ["maildir", 3], { name: "maildir" }, { plugin: "maildir", onFailure: "explode" }],
      }),
    },
    says: ["plugins[0]", "plugins[1]", "plugins[2]", "plugins[3]", "a plugin's entry has no name", "defer nor ignore"],
  },
];

describe("a configuration nobody can run: exit code 78", () => {
  for (const { title, files, says, silentAbout = [] } of mistakes)
    test(title, async () => {
      const { code, err } = await run(["start"], { cwd: folder(files) });
      for (const word of says) expect(err).toMatch(word);
      for (const word of silentAbout) expect(err).not.toContain(word);
      expect(err).not.toContain("should not have happened");
      expect(code).toBe(78);
    });
});

test("everything that is wrong is said at once", async () => {
  const cwd = folder({
    "mailhost.config.json": json({
      nmae: "mx.example.com",
      listeners: [{ port: 99_999 }],
      limits: { recipients: "many" },
      plugins: ["greylist", ["maildir", { rooot: "./mail" }], ["starttls", { cert: 1 }]],
    }),
  });
  const { code, err } = await run(["start"], { cwd });
  expect(code).toBe(78);
  for (const word of ["nmae", "99999", "limits.recipients", "greylist", "rooot", "plugins[2].options.cert"])
    expect(err).toContain(word);
  expect(err).toMatch(/^mailhost: \d+ problems/);
});

test("TypeScript in a package that is not a module package: rename it, or it just runs", async () => {
  const cwd = folder({
    "package.json": "{}",
    "mailhost.config.ts":
      'import type { Config } from "mailhost";\nexport default { name: "no good" } satisfies Config;\n',
  });
  const { code, err } = await run(["start"], { cwd });
  expect(code).toBe(78);
  // A Node that can load it goes on to what it says
  expect(err).toMatch(/Rename it to .*mailhost\.config\.mts|is no host name/);
});

test.skipIf(!canDropRights && process.env["CI"] === undefined)(
  "a configuration that may not be read is not passed over",
  async () => {
    const cwd = folder({ ".mailhostrc": "name: mx.example.com\n" });
    chmodSync(join(cwd, ".mailhostrc"), 0);
    chmodSync(cwd, 0o755);
    const { code, err } = await run(["start"], { cwd, unprivileged: true });
    expect(code).toBe(78);
    expect(err).toContain("cannot be read");
  },
);

test("--config that names no file", async () => {
  const { code, err } = await run(["start", "--config", "./other.json"], { cwd: folder() });
  expect(code).toBe(78);
  expect(err).toMatch(/other\.json\s+there is no such file/);
});

test("a bad environment", async () => {
  const env = { MAILHOST_PORT: "smtp", MAILHOST_LOG_LEVEL: "loud" };
  const { code, err } = await run(["start"], { cwd: folder(), env });
  expect(code).toBe(78);
  expect(err).toContain("MAILHOST_PORT");
  expect(err).toContain("MAILHOST_LOG_LEVEL");
});

test("a port that is taken: exit code 1, since it may be free in a moment", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { code, err } = await run(["start", "--port", String(port)], { cwd: folder() });
  other.close();
  expect(code).toBe(1);
  expect(err).toContain(`port ${port} is taken`);
  expect(err).toContain("For this once: --port 2526");
  expect(err).toContain("ss -ltnp");
});

const lowest = existsSync(lowestPort) ? Number(readFileSync(lowestPort, "utf8")) : 1024;

test.skipIf(lowest < 2 || (!canDropRights && process.env["CI"] === undefined))("a privileged port", async () => {
  const cwd = folder({
    "mailhost.config.json": json({ listeners: [{ port: 1 }], plugins: ["./takes.ts"] }),
    "takes.ts": takesAll,
  });
  chmodSync(cwd, 0o755);
  const { code, err } = await run(["start"], { cwd, unprivileged: true });
  expect(err).toContain("port 1 is privileged");
  expect(err).toContain("setcap");
  expect(code).toBe(1);
});

test("a port for several listeners", async () => {
  const cwd = folder({
    "mailhost.config.json": json({ listeners: [{ port: 2525 }, { port: 2526 }], plugins: ["./takes.ts"] }),
    "takes.ts": takesAll,
  });
  const { code, err } = await run(["start", "--port", "2527"], { cwd });
  expect(code).toBe(78);
  expect(err).toContain("has 2 listeners");
});

describe("wrong use: exit code 2", () => {
  for (const [title, args, word] of [
    ["an unknown command", ["strat"], "Did you mean start?"],
    ["an unknown flag", ["start", "--prot", "25"], "Did you mean --port?"],
    ["a port that is none", ["start", "--port", "smtp"], '"smtp" is no port'],
    ["a log level that is none", ["start", "--log-level", "loud"], "debug, info"],
    ["try without a recipient", ["try", "--from", "a@client.example"], "--to"],
    ["send to what is no address", ["send", "--to", "nobody"], "no address"],
    ["an address that is a second command", ["send", "--to", "a@b.example>\r\nRSET"], "no address"],
    ["a password with nobody to ask", ["user", "add", "jane"], "--stdin"],
    ["no command", [], "Usage: mailhost"],
  ] as const)
    test(title, async () => {
      const { code, err } = await run(args, { cwd: folder() });
      expect(err).toContain(word);
      expect(code).toBe(2);
    });
});

test("plugins this command brings are found from any folder", async () => {
  const cwd = mkdtempSync(join(tmpdir(), "mailhost-"));
  write(cwd, {
    "mailhost.config.json": json({ plugins: [["maildir", { root: "./mail" }]], default: { local: "maildir" } }),
  });
  const { code, out, err } = await run(["plugins"], { cwd });
  rmSync(cwd, { recursive: true });
  expect(err).toBe("");
  expect(out).toContain("maildir");
  expect(code).toBe(0);
});

test("--version and --help end well", async () => {
  const version = await run(["--version"], { cwd: folder() });
  expect(version).toMatchObject({ code: 0, out: "1.0.0\n" });
  const help = await run(["--help"], { cwd: folder() });
  expect(help.code).toBe(0);
  expect(help.out).toContain("start");
});
