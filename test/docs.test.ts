import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hooksPage } from "../scripts/hooks-doc.mts";
import { setUser } from "@mailhost/plugin-auth-plain";
import { makeCertificate } from "./support/certificate.ts";
import { run } from "./support/run.ts";
import { readSnippets, type Snippet } from "./support/snippets.ts";

const root = join(import.meta.dirname, "..");
const work = join(root, "test/snippets.work");

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
  ...["core", "testkit", "cli", "examples", ...readdirSync(join(root, "plugins")).map((name) => `plugins/${name}`)].map((folder) => `${folder}/README.md`),
]; // prettier-ignore

const typescript = pages.flatMap((page) => readSnippets(root, page)).filter(({ language }) => language === "ts");

/** Each snippet is a file; those of one page may import each other by the name their heading or first line gives. */
function fileOf(snippet: Snippet, index: number): string {
  const named = /^\/\/ (\S+\.m?ts)$/m.exec(snippet.code.split("\n")[0] ?? "")?.[1];
  return join(work, snippet.page.replaceAll(/[/.]/g, "-"), named ?? `${index}.ts`);
}

beforeAll(() => {
  rmSync(work, { recursive: true, force: true });
  for (const [index, snippet] of typescript.entries()) {
    const file = fileOf(snippet, index);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, snippet.code);
  }
  const settings = { extends: "../../tsconfig.test.json", include: ["./*/*.ts", "./*/*.mts"], exclude: [] };
  writeFileSync(join(work, "tsconfig.json"), JSON.stringify(settings));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

test("every TypeScript snippet of the documentation compiles", { timeout: 120_000 }, async () => {
  const ran = await run(join(root, "node_modules/.bin/tsc"), ["-p", work, "--noUnusedLocals", "false"]);
  expect(ran.stdout).toBe("");
});

/** Programs listen on a port, configurations are checked; the rest are plugins and tests. */
const listens = ({ code }: Snippet): boolean => /\.listen\(/.test(code);
const configures = ({ code }: Snippet): boolean => code.includes("export default defineConfig(");
const isTest = ({ code }: Snippet): boolean => code.includes('from "vitest"');

/** Ports and paths of somebody's machine become ports and paths of this one. */
const here = (code: string): string =>
  code
    .replaceAll(/\.listen\(\s*\d*/g, ".listen(0")
    .replaceAll(/port: (25|587|465|2525)\b/g, "port: 0")
    .replaceAll(/"[^"]*(fullchain|cert)[^"]*\.pem"/g, JSON.stringify(join(work, "cert.pem")))
    .replaceAll(/"[^"]*key\.pem"/g, JSON.stringify(join(work, "key.pem")))
    .replaceAll(/"[^"]*\/users"/g, JSON.stringify(join(work, "users")))
    .replaceAll('"/var/mail"', '"./mail"');

describe("every TypeScript snippet runs", () => {
  beforeAll(async () => {
    await makeCertificate(work);
    await setUser(join(work, "users"), "jane@example.com", "secret");
  });

  for (const [index, snippet] of typescript.entries()) {
    if (isTest(snippet)) continue;
    test(`${snippet.page}, ${snippet.heading} (${index})`, { timeout: 60_000 }, async () => {
      const copy = fileOf(snippet, index).replace(/\.(m?ts)$/, ".run.$1");
      // A program ends once everything is up
      const over = listens(snippet) ? "\nsetTimeout(() => process.exit(0), 300);\n" : "";
      writeFileSync(copy, here(snippet.code) + over);
      const source = ["-C", "@mailhost/source", "--import", "tsx"];
      const args = configures(snippet)
        ? [join(root, "cli/bin/mailhost.js"), "check", "--config", copy]
        : [...source, copy];
      const ran = await run(process.execPath, args);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    });
  }
});

const tests = typescript.filter(isTest);

test("every test in the documentation passes", { timeout: 120_000 }, async () => {
  expect(tests.length).toBeGreaterThan(0);
  const settings = join(work, "vitest.config.mts");
  writeFileSync(
    settings,
    `export default { root: ${JSON.stringify(work)}, ssr: { resolve: { conditions: ["@mailhost/source", "node", "import", "default"] } }, test: { include: ["**/*.ts"], exclude: ["**/*.run.*", "**/vitest.config.mts"], passWithNoTests: false } };`,
  );
  const files = typescript.flatMap((snippet, index) => (isTest(snippet) ? [fileOf(snippet, index)] : []));
  const ran = await run(
    process.execPath,
    ["-C", "@mailhost/source", join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", settings, ...files],
    "",
    { VITEST_REPORT: undefined },
  );
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
});

test("docs/hooks.md is what the code says", () => {
  expect(readFileSync(join(root, "docs/hooks.md"), "utf8").replaceAll(/\s+\|/g, " |").replaceAll(/-+ \|/g, "- |")).toBe(
    hooksPage().replaceAll(/\s+\|/g, " |").replaceAll(/-+ \|/g, "- |"),
  );
});

test("every link between the documents leads somewhere", () => {
  const broken: string[] = [];
  for (const page of [...pages, "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/decisions/README.md"]) {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      try {
        readdirOrRead(join(root, page, "..", target));
      } catch {
        broken.push(`${page}: ${target}`);
      }
    }
  }
  expect(broken).toEqual([]);
});

function readdirOrRead(path: string): void {
  try {
    readdirSync(path);
  } catch {
    readFileSync(path);
  }
}
