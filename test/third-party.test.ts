import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { bin, emptyFolder, npm, packAll, root, whileServing } from "./support/pack.ts";
import { run } from "./support/run.ts";

/** Packages as strangers write them: nothing of this repository is there but what they install. */
const javaScript = join(root, "examples/third-party/mailhost-plugin-subject-tag");
const typeScript = join(root, "examples/third-party/mailhost-plugin-office-hours");
const grown = join(root, "examples/greylist");

let operator: string;

beforeAll(async () => {
  const ours = await packAll();
  const packed = emptyFolder("third-party");
  await buildGreylist(join(packed, "greylist"));
  for (const folder of [javaScript, typeScript, join(packed, "greylist")])
    await npm(folder, "pack", "--ignore-scripts", "--pack-destination", packed);
  const theirs = readdirSync(packed).filter((name) => name.endsWith(".tgz"));
  operator = emptyFolder("operator");
  writeFileSync(join(operator, "package.json"), JSON.stringify({ name: "operator", private: true, type: "module" }));
  await npm(operator, "install", ...ours, ...theirs.map((name) => join(packed, name)));
}, 300_000);

/** What `npm run build` does, with the compiler and the types that are here. */
async function buildGreylist(into: string): Promise<void> {
  mkdirSync(into);
  for (const file of ["package.json", "README.md", "LICENSE"]) copyFileSync(join(grown, file), join(into, file));
  const ran = await run(join(bin, "tsc"), ["-p", grown, "--outDir", join(into, "dist")]);
  if (ran.code !== 0) throw new Error(ran.stdout);
}

const read = (...path: string[]): string => readFileSync(join(operator, ...path), "utf8");

test("a tarball holds what is needed, and its source is what runs", () => {
  const modules = join(operator, "node_modules");
  expect(readdirSync(join(modules, "mailhost-plugin-office-hours")).toSorted()).toEqual([
    "LICENSE",
    "README.md",
    "hours.ts",
    "index.ts",
    "package.json",
  ]);
  expect(readdirSync(join(modules, "mailhost-plugin-subject-tag"))).toContain("index.js");
  expect(readdirSync(join(modules, "mailhost-plugin-greylist/dist"))).toContain("index.d.ts");
  // A second copy of core would have come here
  for (const name of ["office-hours", "subject-tag", "greylist"])
    expect(() => readdirSync(join(modules, `mailhost-plugin-${name}/node_modules/@mailhost`))).toThrow(/ENOENT/);
});

test("mailhost start loads them by their names, JavaScript, TypeScript and built", { timeout: 60_000 }, async () => {
  writeFileSync(
    join(operator, "mailhost.config.mts"),
    `import { defineConfig } from "mailhost";
export default defineConfig({
  name: "mx.example.com",
  listeners: [{ name: "in", host: "127.0.0.1", port: 0 }],
  default: { local: "maildir" },
  plugins: [
    ["addressable", { domains: ["example.com"] }],
    ["maildir", { root: "./mail" }],
    ["subject-tag", { tag: "sales" }],
    ["office-hours", { addresses: ["closed@example.com"], from: 0, to: 0 }],
    ["greylist", { wait: 0, file: "./greylist" }],
  ],
});
`,
  );
  await whileServing(operator, async (port, command) => {
    const send = (to: string) => run(command, ["send", "--port", String(port), "--to", to, "--subject", "offer"]);
    expect(await said(send("closed@example.com"))).toMatch(/450 4\.2\.1 The office is closed/);
    expect(await said(send("jane@example.com"))).toMatch(/451 4\.7\.1 Greylisted/);
    expect((await send("jane@example.com")).code).toBe(0);
  });
  const [file = ""] = readdirSync(join(operator, "mail/example.com/jane/new"));
  expect(read("mail/example.com/jane/new", file)).toMatch(/^X-Greylist: delayed \d+ seconds at mx\.example\.com\n/m);
  expect(read("mail/example.com/jane/new", file)).toMatch(/^Subject: \[sales\] offer\n/m);
  expect(read("greylist")).toMatch(/^known \d+ \S{43}\n$/);
});

const said = async (ran: ReturnType<typeof run>): Promise<string> => {
  const { stdout, stderr } = await ran;
  return stdout + stderr;
};

test("mailhost plugins shows their manifests, and wrong options are told with their place", async () => {
  const command = join(operator, "node_modules/.bin/mailhost");
  const config = join(operator, "mailhost.config.mts");
  const shown = await said(run(command, ["plugins", "--config", config]));
  expect(shown).toMatch(/subject-tag .*0\.3\.0/);
  expect(shown).toMatch(/office-hours .*2\.1\.0/);
  const sound = await run(command, ["check", "--config", config]);
  expect(sound.code, sound.stdout + sound.stderr).toBe(0);
  // Manifests and package.json agree, or it would warn
  expect(sound.stdout + sound.stderr).not.toContain("warning");
  const wrong = join(operator, "wrong.config.mts");
  writeFileSync(wrong, read("mailhost.config.mts").replace('tag: "sales"', "tag: 7").replace("from: 0", "form: 0"));
  const checked = await run(command, ["check", "--config", wrong]);
  expect(checked.code).toBe(78);
  expect(checked.stdout + checked.stderr).toContain("plugins[2].options.tag");
  expect(checked.stdout + checked.stderr).toContain("Did you mean from?");
});

test("the author's own tests pass against what is installed: node:test, JSDoc types", { timeout: 60_000 }, async () => {
  const author = join(operator, "author");
  cpSync(javaScript, author, { recursive: true });
  try {
    const types = ["--typeRoots", join(root, "node_modules/@types")];
    const checked = await run(join(bin, "tsc"), ["-p", join(author, "tsconfig.json"), ...types]);
    expect(checked.stdout).toBe("");
    const foreign = { NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined };
    const ran = await run(process.execPath, ["--test", join(author, "index.test.js")], "", foreign);
    expect(ran.code, ran.stdout).toBe(0);
    expect(ran.stdout).toMatch(/pass 6\b/);
  } finally {
    rmSync(author, { recursive: true });
  }
});

test("a mistake in the JavaScript does not pass tsc", { timeout: 60_000 }, async () => {
  const author = join(operator, "mistaken");
  cpSync(javaScript, author, { recursive: true });
  const index = join(author, "index.js");
  writeFileSync(index, readFileSync(index, "utf8").replace("return message.addField", "return host.addField"));
  const types = ["--typeRoots", join(root, "node_modules/@types")];
  const checked = await run(join(bin, "tsc"), ["-p", join(author, "tsconfig.json"), ...types]);
  expect(checked.stdout).toMatch(/index\.js\(\d+,\d+\): error TS2339/);
});
