import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "./support/run.ts";

const root = join(import.meta.dirname, "..");
const folders = ["core", "testkit", "cli", ...readdirSync(join(root, "plugins")).map((name) => `plugins/${name}`)];
const bin = join(root, "node_modules/.bin");

let place: string;
let tarballs: string[];
let empty: string;

/** What a plugin of somebody else's looks like: plain JavaScript, its own package, core as a peer. */
const thirdParty = {
  "package.json": JSON.stringify({
    name: "mailhost-plugin-stamp",
    version: "0.3.0",
    type: "module",
    keywords: ["mailhost-plugin"],
    exports: "./index.js",
    files: ["index.js"],
    peerDependencies: { "@mailhost/core": "^1.0.0" },
  }),
  "index.js": `import { definePlugin } from "@mailhost/core";
export default definePlugin({
  name: "stamp", version: "0.3.0", core: "^1.0.0",
  apply(host, options) {
    host.hooks.data.tap("stamp", (message) => message.addField("X-Stamp", options.text));
  },
});
`,
};

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "mailhost-packed-"));
  const built = await run(join(bin, "tsc"), ["-b", root], "", {}, 120);
  if (built.code !== 0) throw new Error(built.stdout);
  for (const folder of folders) await npm(["pack", join(root, folder), "--pack-destination", place]);
  const plugin = join(place, "stamp");
  mkdirSync(plugin);
  for (const [name, text] of Object.entries(thirdParty)) writeFileSync(join(plugin, name), text);
  await npm(["pack", plugin, "--pack-destination", place]);
  tarballs = readdirSync(place)
    .filter((name) => name.endsWith(".tgz"))
    .map((name) => join(place, name));
  empty = join(place, "empty");
  mkdirSync(empty);
  writeFileSync(join(empty, "package.json"), JSON.stringify({ name: "somebody", private: true, type: "module" }));
  await npm(["install", "--prefix", empty, "--no-audit", "--no-fund", ...tarballs]);
}, 300_000);

afterAll(() => rmSync(place, { recursive: true, force: true }));

async function npm(args: readonly string[]): Promise<void> {
  const ran = await run("npm", args, "", {}, 240);
  if (ran.code !== 0) throw new Error(`npm ${args.join(" ")}: ${ran.stderr}`);
}

describe.each(folders)("the tarball of %s", (folder) => {
  const name = (): string => {
    const { name: full, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    return `${String(full).replace("@", "").replace("/", "-")}-${version}.tgz`;
  };

  test("is clean for publint", { timeout: 60_000 }, async () => {
    const ran = await run(join(bin, "publint"), ["run", "--strict", join(place, name())]);
    expect(ran).toMatchObject({ code: 0 });
  });

  test("is clean for are-the-types-wrong", { timeout: 60_000 }, async () => {
    const ran = await run(join(bin, "attw"), [join(place, name()), "--profile", "esm-only", "--format", "ascii"]);
    expect(ran.code).toBe(0);
  });
});

test(
  "a TypeScript program compiles against the installed types, and mistakes do not",
  { timeout: 60_000 },
  async () => {
    writeFileSync(
      join(empty, "program.ts"),
      `import { definePlugin, mailhost, reject } from "@mailhost/core";
import maildir from "@mailhost/plugin-maildir";
import mux from "@mailhost/plugin-mux";
import { transcript } from "@mailhost/testkit";
import { defineConfig } from "mailhost";

const plugin = definePlugin<{ text: string }>({
  name: "x",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host, { text }) {
    host.hooks.rcpt.tap("x", (recipient) => (recipient.address.localPart === text ? reject("No") : undefined));
    // @ts-expect-error an async function is no sync tap
    host.hooks.rcpt.tap("x", async () => {});
    // @ts-expect-error 250 is no refusal
    host.hooks.rcpt.tap("x", () => reject("No", { code: 250 }));
  },
});
// @ts-expect-error the option is missing
plugin();
// @ts-expect-error there is no such option
maildir({ rooot: "./mail" });
export const server = mailhost({ plugins: [plugin({ text: "x" }), maildir({ root: "./mail" }), mux()] });
export const test = (): Promise<void> => transcript({ plugins: [] }, "S: 220 *");
export default defineConfig({ plugins: [["maildir", { root: "./mail" }]] });
`,
    );
    const options = [
      "--ignoreConfig",
      "--strict",
      "--noEmit",
      "--module",
      "nodenext",
      "--target",
      "es2023",
      "--skipLibCheck",
      "false",
    ];
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
    const ran = await run(join(bin, "tsc"), [...options, ...types, join(empty, "program.ts")]);
    expect(ran.stdout).toBe("");
  },
);

test(
  "installed in an empty folder, the server starts, loads a third-party plugin and takes a message",
  { timeout: 60_000 },
  async () => {
    writeFileSync(
      join(empty, "mailhost.config.mts"),
      `import { defineConfig } from "mailhost";
export default defineConfig({
  name: "mx.example.com",
  listeners: [{ name: "in", host: "127.0.0.1", port: 0 }],
  default: { local: "maildir" },
  plugins: [["addressable", { domains: ["example.com"] }], ["maildir", { root: "./mail" }], ["stamp", { text: "third party" }]],
});
`,
    );
    const command = join(empty, "node_modules/.bin/mailhost");
    const child = spawn(command, ["start", "--json-logs"], { cwd: empty, env: { ...process.env, NODE_OPTIONS: "" } });
    try {
      const port = await listeningPort(child);
      const sent = await run(command, [
        "send",
        "--port",
        String(port),
        "--to",
        "joe@example.com",
        "--subject",
        "packed",
      ]);
      expect(sent.code, sent.stdout + sent.stderr).toBe(0);
      const box = join(empty, "mail/example.com/joe/new");
      const [file = ""] = readdirSync(box);
      expect(readFileSync(join(box, file), "utf8")).toMatch(
        /^Return-Path: .*\nDelivered-To: joe@example\.com\nX-Stamp: third party\nReceived: /,
      );
    } finally {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
    }
  },
);

/** Waits for the first `listening on …:port` in what the server prints. */
function listeningPort(child: ReturnType<typeof spawn>): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = "";
    const look = (octets: Buffer): void => {
      said += octets.toString();
      const found = /127\.0\.0\.1:(\d+)/.exec(said) ?? /"port":(\d+)/.exec(said);
      if (found?.[1] !== undefined) resolve(Number(found[1]));
    };
    child.stdout?.on("data", look);
    child.stderr?.on("data", look);
    child.once("exit", (code) => reject(new Error(`mailhost start ended with ${code}:\n${said}`)));
  });
}

test("lerna lists each package with its own version", { timeout: 60_000 }, async () => {
  const ran = await run(join(bin, "lerna"), ["ls", "--all", "--json", "--loglevel", "error"], "", {
    NX_DAEMON: "false",
  });
  expect(ran.code, ran.stderr).toBe(0);
  const listed: { name: string; version: string }[] = JSON.parse(ran.stdout);
  expect(listed).toHaveLength(folders.length);
  for (const { version } of listed) expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(JSON.parse(readFileSync(join(root, "lerna.json"), "utf8")).version).toBe("independent");
});
