import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Served, folder, run, serve, takesAll, write } from "./support.ts";
import { Talk } from "./talk.ts";

const port = (served: Served, index = 0): number => served.ports[index] ?? 0;

async function banner(served: Served): Promise<string> {
  const talk = new Talk(port(served));
  const heard = await talk.hears(/\r\n/);
  talk.hangUp();
  return heard.trim();
}

const oneListener = (more: string): string =>
  `{ "listeners": [{ "host": "127.0.0.1", "port": 0 }], "plugins": ["./takes.ts"], ${more} }`;

test("with no configuration: a catch-all on 127.0.0.1 into ./mail, and a line to try", async () => {
  const cwd = folder();
  const served = await serve(["--port", "0"], { cwd });
  await served.until((text) => text.includes("and read it"));
  const out = served.out();
  expect(out).toContain(`127.0.0.1:${port(served)}`);
  expect(out).toMatch(/mux 1\.\d+\.\d+, maildir 1\.\d+\.\d+, debug-log 1\.\d+\.\d+/);
  expect(out).toContain("mail for everybody lands in ./mail");
  expect(out).toContain(`npx mailhost send --port ${port(served)}`);
  expect(out).toMatch(/printf .* \| curl .*smtp:\/\/127\.0\.0\.1:\d+/);
  const sent = await run(["send", "--port", String(port(served)), "--to", "jane@shop.test"], { cwd });
  expect(sent).toMatchObject({ code: 0, err: "" });
  expect(sent.out).toMatch(/C: DATA\nS: 354 .*\n.*\nC: \.\nS: 250 2\.0\.0/);
  const box = join(cwd, "mail/shop.test/jane/new");
  const [file = ""] = readdirSync(box);
  expect(readFileSync(join(box, file), "utf8")).toMatch(/\nSubject: A first message\n[^]*\n\nIt works\.\n$/);
  // The dialogue was shown as it happened
  expect(served.err()).toMatch(/C: RCPT TO:<jane@shop\.test>/);
  served.process.kill("SIGTERM");
  expect(await served.ended()).toBe(0);
});

test("--mail names the folder, from where the command was called", async () => {
  const cwd = folder();
  const served = await serve(["--port", "0", "--mail", "box"], { cwd });
  expect((await run(["send", "--port", String(port(served))], { cwd })).code).toBe(0);
  expect(existsSync(join(cwd, "box/example.com/you/new"))).toBe(true);
});

describe("every format is read", () => {
  const data = `{ name: mx.data.test, listeners: [{ host: 127.0.0.1, port: 0 }], plugins: [./takes.ts] }`;
  const js = `{ name: "mx.data.test", listeners: [{ host: "127.0.0.1", port: 0 }], plugins: ["./takes.ts"] }`;
  const json = oneListener('"name": "mx.data.test"');
  const typed = `import { defineConfig } from "mailhost";\nimport takes from "./takes.ts";\nconst port: number = 0;\nexport default defineConfig({ name: "mx.data.test", listeners: [{ host: "127.0.0.1", port }], plugins: [takes()] });\n`;
  for (const [file, text] of [
    ["mailhost.config.mts", typed],
    ["mailhost.config.ts", typed],
    [
      "mailhost.config.cts",
      `const port: number = 0;\nmodule.exports = { ...${js}, listeners: [{ host: "127.0.0.1", port }] };\n`,
    ],
    ["mailhost.config.mjs", `export default async () => (${js});\n`],
    ["mailhost.config.js", `export default ${js};\n`],
    ["mailhost.config.cjs", `module.exports = ${js};\n`],
    ["mailhost.config.json", json],
    ["mailhost.config.yaml", data],
    [".mailhostrc", data],
    [".mailhostrc.json", json],
    [".mailhostrc.yaml", data],
    ["package.json", `{ "type": "module", "mailhost": ${json} }`],
  ] as const)
    test(file, async () => {
      const cwd = folder({ "package.json": '{ "type": "module" }', "takes.ts": takesAll, [file]: text });
      const served = await serve([], { cwd });
      expect(await banner(served)).toBe("220 mx.data.test ESMTP");
    });
});

test("--config is read from anywhere, and its relative paths start from its own folder", async () => {
  const cwd = folder({ "deep/down/there.json": oneListener('"name": "mx.deep.test"'), "deep/down/takes.ts": takesAll });
  const served = await serve(["--config", "deep/down/there.json"], { cwd });
  expect(await banner(served)).toBe("220 mx.deep.test ESMTP");
  expect((await run(["send", "--port", String(port(served))], { cwd })).code).toBe(0);
  expect(readFileSync(join(cwd, "deep/down/taken"), "utf8")).toBe("takes-all: you\n");
});

test("a configuration in a folder above is not taken", async () => {
  const cwd = folder({
    "mailhost.config.json": oneListener('"name": "mx.above.test"'),
    "takes.ts": takesAll,
    "below/x": "",
  });
  const served = await serve(["--port", "0"], { cwd: join(cwd, "below") });
  await served.until((text) => text.includes("no configuration"));
});

test("the environment overrides the configuration, the command line the environment", async () => {
  const cwd = folder({
    "other.json": '{ "listeners": [{ "port": 1 }], "plugins": ["./takes.ts"], "name": "mx.file.test" }',
    "takes.ts": takesAll,
  });
  const env = {
    MAILHOST_CONFIG: "other.json",
    MAILHOST_NAME: "mx.env.test",
    MAILHOST_HOST: "127.0.0.1",
    MAILHOST_PORT: "1",
    MAILHOST_LOG_LEVEL: "debug",
  };
  const served = await serve(["--port", "0", "--log-level", "info"], { cwd, env });
  expect(await banner(served)).toBe("220 mx.env.test ESMTP");
  const quiet = await run(["check"], { cwd, env: { MAILHOST_CONFIG: "gone.json" } });
  expect(quiet.out).toContain("gone.json");
});

test("listeners have their own plugins, and one plugin may stand twice", async () => {
  const cwd = folder({
    "mailhost.config.mts": `
      import takes from "./takes.ts";
      export default {
        listeners: [
          { name: "a", host: "127.0.0.1", port: 0, plugins: ["./takes.ts"] },
          { name: "b", host: "127.0.0.1", port: 0, serverName: "b.shop.test", plugins: [
            { plugin: takes, as: "first" },
            { plugin: "./twice.ts", as: "second" },
            ["./twice.ts", {}],
          ] },
        ],
      };`,
    "takes.ts": takesAll,
    "twice.ts": `import { definePlugin } from "@mailhost/core";
      export default definePlugin({ name: "twice", version: "1.0.0", core: "^1.0.0", apply(host) {
        host.hooks.connect.tap("twice", () => host.log.info({}, "connected through " + host.name)); } });`,
  });
  const served = await serve([], { cwd, listeners: 2 });
  expect((await run(["send", "--port", String(port(served, 0))], { cwd })).code).toBe(0);
  expect((await run(["send", "--port", String(port(served, 1))], { cwd })).code).toBe(0);
  expect(readFileSync(join(cwd, "taken"), "utf8")).toBe("takes-all: you\nfirst: you\n");
  expect(served.err()).toContain("connected through second");
  expect(served.err()).toContain("connected through twice");
  const listed = await run(["plugins", "--json"], { cwd });
  const names = JSON.parse(listed.out).map(({ plugins }: { plugins: { name: string }[] }) =>
    plugins.map(({ name }) => name),
  );
  expect(names).toEqual([["takes-all"], ["first", "second", "twice"]]);
});

test("--quiet and --json-logs print no banner", async () => {
  const cwd = folder();
  const served = await serve(["--port", "0", "--json-logs"], { cwd });
  await banner(served);
  expect(served.out()).toBe("");
  for (const line of served
    .err()
    .split("\n")
    .filter((one) => one.includes('"msg"')))
    JSON.parse(line);
});

describe("signals", () => {
  test("SIGHUP puts a changed configuration in force, and keeps the old one when the new one is broken", async () => {
    const configuration = (name: string): string =>
      `import takes from "./takes.ts";\nexport default { name: ${name}, listeners: [{ name: "one", host: "127.0.0.1", port: 0 }], plugins: [takes()] };\n`;
    const cwd = folder({ "mailhost.config.mts": configuration('"mx.one.test"'), "takes.ts": takesAll });
    const served = await serve([], { cwd });
    const open = new Talk(port(served));
    await open.hears(/220 mx\.one\.test/);
    const again = async (text: string, says: RegExp): Promise<void> => {
      write(cwd, { "mailhost.config.mts": text });
      const before = served.err().length;
      served.process.kill("SIGHUP");
      await served.until(() => says.test(served.err().slice(before)));
    };
    await again(configuration('"mx.two.test"'), /configuration reloaded/);
    expect(await banner(served)).toBe("220 mx.two.test ESMTP");
    await again(configuration('"not a name"'), /not reloaded, the old one stays in force.*no host name/);
    expect(await banner(served)).toBe("220 mx.two.test ESMTP");
    await again("export default {", /not reloaded, the old one stays in force.*syntax error/);
    await again(configuration('"mx.two.test", plugin: 1'), /not reloaded.*did you mean plugins/i);
    expect(await banner(served)).toBe("220 mx.two.test ESMTP");
    await again(configuration('"mx.three.test"'), /configuration reloaded/);
    expect(await banner(served)).toBe("220 mx.three.test ESMTP");
    // An open session finishes on what it began with
    open.say("EHLO client.test");
    expect(await open.hears(/250 ENHANCEDSTATUSCODES/)).toContain("250-mx.one.test");
    open.hangUp();
  });

  test("SIGHUP reads CommonJS and data anew too", async () => {
    for (const [file, text] of [
      [
        "mailhost.config.cjs",
        "module.exports = { name: 'NAME', listeners: [{ host: '127.0.0.1', port: 0 }], plugins: ['./takes.ts'] };",
      ],
      ["mailhost.config.yaml", "name: NAME\nlisteners:\n  - host: 127.0.0.1\n    port: 0\nplugins: [./takes.ts]\n"],
    ] as const) {
      const cwd = folder({ [file]: text.replace("NAME", "mx.one.test"), "takes.ts": takesAll });
      const served = await serve([], { cwd });
      write(cwd, { [file]: text.replace("NAME", "mx.two.test") });
      served.process.kill("SIGHUP");
      await served.until((said) => said.includes("configuration reloaded"));
      expect(await banner(served)).toBe("220 mx.two.test ESMTP");
    }
  });

  test("SIGTERM answers 421 and exits 0", async () => {
    const served = await serve(["--port", "0"], { cwd: folder() });
    const talk = new Talk(port(served));
    await talk.hears(/220 /);
    served.process.kill("SIGTERM");
    expect(await talk.closed()).toMatch(/421 4\.\d\.\d/);
    expect(await served.ended()).toBe(0);
  });

  test("a second signal ends at once, but not the copy that npm passes on", async () => {
    const cwd = folder({
      "mailhost.config.json": oneListener('"name": "mx.slow.test"').replace(
        '"./takes.ts"',
        '"./takes.ts", "./slow.ts"',
      ),
      "takes.ts": takesAll,
      "slow.ts": `import { definePlugin } from "@mailhost/core";
        export default definePlugin({ name: "slow", version: "1.0.0", core: "^1.0.0", apply(host) {
          host.onClose(() => new Promise((resolve) => setTimeout(resolve, 60_000))); } });`,
    });
    const served = await serve([], { cwd });
    served.process.kill("SIGINT");
    served.process.kill("SIGINT");
    await sleep(700);
    expect(served.process.exitCode).toBe(null);
    served.process.kill("SIGINT");
    expect(await served.ended()).toBe(1);
  });

  test("what nobody caught is logged, drained and exits 1", async () => {
    const cwd = folder({
      "mailhost.config.json": oneListener('"name": "mx.bad.test"').replace('"./takes.ts"', '"./takes.ts", "./bad.ts"'),
      "takes.ts": takesAll,
      "bad.ts": `import { definePlugin } from "@mailhost/core";
        export default definePlugin({ name: "bad", version: "1.0.0", core: "^1.0.0", apply(host) {
          host.hooks.ehlo.tap("bad", () => { setTimeout(() => { throw new Error("in a timer"); }, 1); }); } });`,
    });
    const served = await serve([], { cwd });
    const talk = new Talk(port(served));
    await talk.hears(/220 /);
    talk.say("EHLO client.test");
    expect(await talk.closed()).toMatch(/421/);
    expect(await served.ended()).toBe(1);
    expect(served.err()).toMatch(/"level":60.*uncaughtException: in a timer/);
  });
});

test("a socket that a parent handed over", async () => {
  const cwd = folder({
    "mailhost.config.json": '{ "name": "mx.fd.test", "listeners": [{ "fd": 3 }], "plugins": ["./takes.ts"] }',
    "takes.ts": takesAll,
  });
  const parent = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => parent.once("listening", resolve));
  // Node does not type the handle of a server
  // oxlint-disable-next-line no-underscore-dangle -- its name
  const { fd } = (parent as unknown as { _handle: { fd: number } })._handle;
  const served = await serve([], { cwd, hand: fd });
  parent.close();
  expect(await banner(served)).toBe("220 mx.fd.test ESMTP");
});
