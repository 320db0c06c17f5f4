import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bin, emptyFolder, folders, npm, packAll, root, whileServing } from "./support/pack.ts";
import { run } from "./support/run.ts";

let tarballs: readonly string[];
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
  tarballs = await packAll();
  empty = emptyFolder("somebody");
  const plugin = emptyFolder("stamp");
  for (const [name, text] of Object.entries(thirdParty)) writeFileSync(join(plugin, name), text);
  await npm(plugin, "pack");
  writeFileSync(join(empty, "package.json"), JSON.stringify({ name: "somebody", private: true, type: "module" }));
  await npm(empty, "install", ...tarballs, join(plugin, "mailhost-plugin-stamp-0.3.0.tgz"));
}, 300_000);

describe.each(folders)("the tarball of %s", (folder) => {
  const tarball = (): string => {
    const { name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    const file = `${String(name).replace("@", "").replace("/", "-")}-${version}.tgz`;
    return tarballs.find((one) => basename(one) === file) ?? file;
  };

  test("is clean for publint", { timeout: 60_000 }, async () => {
    const ran = await run(join(bin, "publint"), ["run", "--strict", tarball()]);
    expect(ran).toMatchObject({ code: 0 });
  });

  test("is clean for are-the-types-wrong", { timeout: 60_000 }, async () => {
    const ran = await run(join(bin, "attw"), [tarball(), "--profile", "esm-only", "--format", "ascii"]);
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
    await whileServing(empty, async (port, command) => {
      const sent = await run(command, ["send", "--port", String(port), "--to", "joe@example.com"]);
      expect(sent.code, sent.stdout + sent.stderr).toBe(0);
    });
    const box = join(empty, "mail/example.com/joe/new");
    const [file = ""] = readdirSync(box);
    expect(readFileSync(join(box, file), "utf8")).toMatch(
      /^Return-Path: .*\nDelivered-To: joe@example\.com\nX-Stamp: third party\nReceived: /,
    );
  },
);

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
