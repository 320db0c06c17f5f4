import { describe, expect, test } from "vitest";
import { folder, run } from "./support.ts";

const json = (value: unknown): string => JSON.stringify(value, undefined, 2);

const module = (definition: string): string =>
  `import { definePlugin } from "@mailhost/core";\nexport default definePlugin({ version: "1.0.0", core: "^1.0.0", apply() {}, ${definition} });\n`;

/** A package of somebody else's, as npm leaves it. */
const installed = (name: string, manifest: object, index: string): Record<string, string> => ({
  [`node_modules/${name}/package.json`]: json({ name, type: "module", exports: "./index.js", ...manifest }),
  [`node_modules/${name}/index.js`]: index,
});

const files = {
  "mailhost.config.yaml": `name: mx.shop.test
listeners:
  - port: 2525
  - port: 2526
    name: archive
    default: { local: archive }
    plugins: [./last.mjs]
plugins:
  - [addressable, { domains: [shop.test] }]
  - - mux
    - routes: { "*@shop.test": maildir }
  - [maildir, { root: ./mail }]
  - { plugin: maildir, as: archive, options: { root: ./archive } }
  - plugin: stamp
    onFailure: { data: ignore }
  - ./first.mjs
`,
  "first.mjs": module(
    'name: "first", requires: { maildir: "^1.0.0" }, before: ["addressable"], apply(host) { host.hooks.rcpt.tap({ name: "ahead", stage: "first" }, () => {}); }',
  ),
  "last.mjs": module(
    'name: "last", requires: ["stamp"], after: ["mux"], apply(host) { host.hooks.rcpt.tapPromise("late", async () => {}); host.hooks.queue.for("archive").tap("look", () => {}); host.hooks.trace.tap("see", () => {}); }',
  ),
  ...installed(
    "mailhost-plugin-stamp",
    { version: "2.1.0", peerDependencies: { "@mailhost/core": "^1.0.0" } },
    module(`name: "stamp", version: "2.1.0",
      options: { schema: { "~standard": { version: 1, vendor: "by hand", validate: (value) => ({ value }) } }, keys: ["text"] },
      apply(host) {
        host.extend({ keywords: { XSTAMP: () => "" }, rcptParameters: { XRED: { octets: 5, problem: () => undefined } } });
        host.hooks.data.tap("stamp", () => {});
        host.hooks.rcpt.tap("stamp", () => {});
      }`),
  ),
};

describe("plugins", () => {
  test("prints all of each manifest, listener by listener", async () => {
    const cwd = folder(files);
    const { code, out, err } = await run(["plugins"], { cwd });
    expect(err).toBe("");
    expect(code).toBe(0);
    const [transfer = "", archive = ""] = out.split("listener archive (transfer)");
    expect(transfer).toMatch(
      /^listener 2525 \(transfer\)\n\n {2}addressable 1\.\d+\.\d+\n {4}configured {2}mailhost\.config\.yaml:9:5 plugins\[0\]\n/,
    );
    expect(transfer).toMatch(/from +package @mailhost\/plugin-addressable 1\.\d+\.\d+ \(.*index\.[tj]s\)/);
    expect(transfer).toMatch(/permits +local: domain shop\.test/);
    expect(transfer).toMatch(/routes to +maildir/);
    expect(transfer).toMatch(
      /archive \(maildir\) 1\.\d+\.\d+\n +configured +mailhost\.config\.yaml:13:5 plugins\[3\]\n.*\n +core +\^1\.0\.0\n +hooks +queue archive \(failure: defer\)\n +provides +local transport archive\n +options +root, /,
    );
    expect(transfer).toContain(`  stamp 2.1.0
    configured  mailhost.config.yaml:14:5 plugins[4]
    from        package mailhost-plugin-stamp 2.1.0 (./node_modules/mailhost-plugin-stamp/index.js)
    core        ^1.0.0
    hooks       rcpt (failure: defer), data (failure: ignore)
    provides    keyword XSTAMP, RCPT parameter XRED
    options     text
`);
    expect(transfer).toContain(`  first 1.0.0
    configured  mailhost.config.yaml:16:5 plugins[5]
    from        the file ./first.mjs
    core        ^1.0.0
    requires    maildir ^1.0.0
    order       before addressable
    hooks       rcpt (failure: defer)
    options     unchecked: it has no schema
`);
    expect(transfer).not.toContain("last.mjs");
    expect(archive).toContain(`  last 1.0.0
    configured  mailhost.config.yaml:7:15 listeners[1].plugins[0]
    from        the file ./last.mjs
    core        ^1.0.0
    requires    stamp
    order       after mux
    hooks       rcpt (failure: defer), queue archive (failure: defer), trace
`);
  });

  test("--json, for programs", async () => {
    const cwd = folder(files);
    const [transfer, archive] = JSON.parse((await run(["plugins", "--json"], { cwd })).out);
    expect(transfer).toMatchObject({ listener: "2525", mode: "transfer" });
    const stamp = transfer.plugins.find((one: { name: string }) => one.name === "stamp");
    expect(stamp).toMatchObject({
      package: "stamp",
      version: "2.1.0",
      core: "^1.0.0",
      where: "plugins[4]",
      requires: {},
      options: ["text"],
      watches: false,
      origin: {
        name: "stamp",
        file: `${cwd}/node_modules/mailhost-plugin-stamp/index.js`,
        package: { name: "mailhost-plugin-stamp", version: "2.1.0", corePeer: "^1.0.0" },
      },
      taps: [
        { hook: "rcpt", tap: "stamp", kind: "sync", stage: "normal", onFailure: "defer" },
        { hook: "data", tap: "stamp", kind: "sync", stage: "normal", onFailure: "ignore" },
      ],
    });
    expect(stamp.origin.tried.map((one: { package: string }) => one.package)).toEqual([
      "@mailhost/plugin-stamp",
      "@mailhost/plugin-stamp",
    ]);
    expect(archive.plugins.at(-1)).toMatchObject({ name: "last", requires: { stamp: "*" }, watches: true });
  });

  test("made by the configuration's own code", async () => {
    const config = `import maildir from "@mailhost/plugin-maildir";
      export default { plugins: [maildir({ root: "./mail" }), maildir({ root: "./two" }, { as: "two" })] };`;
    const { out } = await run(["plugins"], { cwd: folder({ "mailhost.config.mjs": config }) });
    expect(out).toMatch(
      /two \(maildir\) 1.*\n +configured +mailhost\.config\.mjs plugins\[1\]\n +from +made by the configuration's own code/,
    );
  });
});

describe("plugins why", () => {
  test("a plugin among others: the line, the package, its place in every hook and the reasons", async () => {
    const cwd = folder(files);
    const { code, out } = await run(["plugins", "why", "stamp", "--config", "mailhost.config.yaml"], { cwd });
    expect(code).toBe(0);
    const [first = "", second = ""] = out.split("\n\n");
    expect(first).toContain(`stamp (2.1.0) on listener 2525
  brought by   mailhost.config.yaml:14:5 plugins[4]
  resolved     "stamp" is package mailhost-plugin-stamp 2.1.0 (./node_modules/mailhost-plugin-stamp/index.js)
    not there: @mailhost/plugin-stamp, seen from ${cwd}
    not there: @mailhost/plugin-stamp, among those that come with mailhost
  core         ^1.0.0
`);
    expect(first).toContain(`  required by  no other plugin
  provides     keyword XSTAMP
  provides     RCPT parameter XRED
  rcpt: 4 of 4
    behind first: ahead: stage first comes before stage normal
    behind addressable: addressable is configured earlier (plugins[0])
    behind mux: mux is configured earlier (plugins[1])
  data: 1 of 1`);
    expect(second).toContain("stamp (2.1.0) on listener archive");
    expect(second).toContain("required by  last");
    expect(second).toContain("    before last: late: last requires stamp");
  });

  test("what asks for its place, and what it requires", async () => {
    const cwd = folder(files);
    const first = await run(["plugins", "why", "first"], { cwd });
    expect(first.out).toMatch(/requires +maildir \^1\.0\.0: have maildir 1\./);
    expect(first.out).toContain("before addressable: first says before addressable");
    const last = await run(["plugins", "why", "last"], { cwd });
    expect(last.out).toContain("behind mux: last says after mux");
    expect(last.out).toContain("behind stamp: last requires stamp");
    expect(last.out).toContain("watchers have no order");
    expect(last.out).not.toContain("on listener 2525");
  });

  test("a plugin that waits for another one", async () => {
    const tap = (name: string) => `apply(host) { host.hooks.rcpt.tap("${name}", () => {}); }`;
    const cwd = folder({
      "mailhost.config.json": json({ plugins: ["./a.mjs", "./b.mjs", "./c.mjs", ["maildir", { root: "./mail" }]] }),
      "a.mjs": module(`name: "a", after: ["c"], ${tap("a")}`),
      "b.mjs": module(`name: "b", ${tap("b")}`),
      "c.mjs": module(`name: "c", ${tap("c")}`),
    });
    const { out } = await run(["plugins", "why", "a"], { cwd });
    expect(out).toContain(`  rcpt: 3 of 3
    behind b: a waits for c, which stands behind b
    behind c: a says after c`);
  });

  test("under its other name, its own and that of its package", async () => {
    const cwd = folder(files);
    const archive = await run(["plugins", "why", "archive"], { cwd });
    expect(archive.out).toMatch(
      /^archive \(maildir 1\..*\) on listener 2525\n +brought by +mailhost\.config\.yaml:13:5 plugins\[3\], where it is called archive\n +resolved +"maildir" is package @mailhost\/plugin-maildir/,
    );
    expect(archive.out).toMatch(
      /on listener archive\n[^]*provides +local transport archive: last \(judges in queue archive\), default\.local of listener archive/,
    );
    const own = await run(["plugins", "why", "maildir", "--json"], { cwd });
    const standings = JSON.parse(own.out);
    expect(standings.map((one: { name: string; listener: string }) => `${one.name} on ${one.listener}`)).toEqual([
      "maildir on 2525",
      "maildir on archive",
    ]);
    expect(standings[0]).toMatchObject({
      requiredBy: ["first"],
      uses: [{ what: "local transport maildir", by: ["mux (options.routes.*@shop.test)"] }],
    });
    const byPackage = await run(["plugins", "why", "@mailhost/plugin-maildir", "--json"], { cwd });
    expect(JSON.parse(byPackage.out)).toHaveLength(4);
  });

  test("an unknown name: did you mean, exit code 2", async () => {
    const cwd = folder(files);
    const near = await run(["plugins", "why", "adressable"], { cwd });
    expect(near).toMatchObject({ code: 2, out: "" });
    expect(near.err).toContain("no plugin adressable is configured. Did you mean addressable?");
    const far = await run(["plugins", "why", "greylist"], { cwd });
    expect(far.code).toBe(2);
    expect(far.err).toContain("There are: addressable, mux, maildir, archive, stamp, first, last.");
    expect((await run(["plugins", "why"], { cwd })).code).toBe(2);
  });

  test("a configuration that cannot be put in force: 78, as everywhere", async () => {
    const cwd = folder({ "mailhost.config.json": json({ plugins: ["greylist"] }) });
    const { code, err } = await run(["plugins", "why", "greylist"], { cwd });
    expect(err).toContain("has no package @mailhost/plugin-greylist, mailhost-plugin-greylist, greylist");
    expect(code).toBe(78);
  });
});

describe("check compares manifest and package", () => {
  const check = async (manifest: object, definition: string): Promise<string> => {
    const cwd = folder({
      "mailhost.config.json": json({
        listeners: [{ port: 2525 }, { port: 2526 }],
        plugins: ["stamp", ["maildir", { root: "./mail" }]],
      }),
      ...installed("mailhost-plugin-stamp", manifest, module(`name: "stamp", ${definition}`)),
    });
    const { code, out } = await run(["check"], { cwd });
    expect(code).toBe(0);
    return out;
  };

  test("nothing to say when they agree", async () => {
    const peerDependencies = { "@mailhost/core": "^1.0.0" };
    expect(await check({ version: "1.0.0", peerDependencies }, "")).not.toContain("stamp says");
  });

  test("another range, another version: warned of once", async () => {
    const peerDependencies = { "@mailhost/core": ">=1" };
    const out = await check({ version: "1.0.1", peerDependencies }, "");
    const says =
      "plugin stamp says it runs with core ^1.0.0, and the peer dependency of its package mailhost-plugin-stamp says >=1";
    expect(out.split(says)).toHaveLength(2);
    expect(out).toContain("plugin stamp says it is 1.0.0, and its package mailhost-plugin-stamp is 1.0.1");
  });

  test("options without a schema: warned of", async () => {
    const cwd = folder({
      "mailhost.config.json": json({
        plugins: [
          ["./plain.mjs", { wiat: 7 }],
          ["maildir", { root: "./mail" }],
        ],
      }),
      "plain.mjs": module('name: "plain"'),
    });
    const { code, out } = await run(["check"], { cwd });
    expect(code).toBe(0);
    expect(out).toContain("warning: plugin plain is given options and checks none of them");
    expect(out).not.toContain("plugin maildir is given");
  });

  test("no peer at all", async () => {
    expect(await check({ version: "1.0.0", dependencies: { "@mailhost/core": "^1.0.0" } }, "")).toContain(
      "mailhost-plugin-stamp has no peer dependency on @mailhost/core: npm may install a second core",
    );
  });
});
