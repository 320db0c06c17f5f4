import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hooksPage } from "../scripts/hooks-doc.mts";
import { setUser } from "@mailhost/plugin-auth-plain";
import { makeCertificate } from "./support/certificate.ts";
import { run } from "./support/run.ts";
import { readSnippets, type Snippet, stagesOf } from "./support/snippets.ts";

const root = join(import.meta.dirname, "..");
/** Of this run alone: another one may be under way. */
const work = join(root, "test/snippets.work", String(process.pid));

const pages = [
  "README.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
  ...["core", "testkit", "cli", "examples", ...readdirSync(join(root, "plugins")).map((name) => `plugins/${name}`)].map((folder) => `${folder}/README.md`),
].filter((page) => existsSync(join(root, page))); // prettier-ignore

/** Examples that are packages: what their pages show is run where they are installed. */
const examplePages = [
  "examples/greylist/README.md",
  ...readdirSync(join(root, "examples/third-party")).map((name) => `examples/third-party/${name}/README.md`),
];

const snippets = pages.flatMap((page) => readSnippets(root, page));
/** Those that stand for themselves, and those that no stage grows. */
const loose = snippets.filter(
  ({ language, stage, file }) => language === "ts" && (stage === undefined || file === undefined),
);

/** Pages that grow something, stage by stage, and where it stands ready. */
const grown = { "docs/write-a-plugin.md": "examples/greylist" };

const folderOf = (page: string): string => join(work, page.replaceAll(/[/.]/g, "-"));

/** Each snippet is a file; those of one page import each other by the names their first lines give. */
const fileOf = (snippet: Snippet, index: number): string => join(folderOf(snippet.page), snippet.file ?? `${index}.ts`);

/** What the reader has in his folder at the end of each stage, and the tests to be held there. */
const stages = Object.keys(grown).flatMap((page) => {
  const all = stagesOf(snippets.filter((snippet) => snippet.page === page));
  return [...all].map(([stage, files]) => {
    const before = all.get(stage - 1);
    const isNew = (file: string): boolean => files.get(file) !== before?.get(file);
    const grows = [...files.keys()].some((file) => file.startsWith("src/") && isNew(file));
    const tests = [...files.keys()].filter((file) => file.endsWith(".test.ts") && (grows || isNew(file)));
    return { page, stage, files, tests, folder: join(folderOf(page), `stage-${stage}`) };
  });
});

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

beforeAll(() => {
  rmSync(work, { recursive: true, force: true });
  for (const [index, snippet] of loose.entries()) write(fileOf(snippet, index), snippet.code);
  for (const { folder, files } of stages) for (const [file, text] of files) write(join(folder, file), text);
  const settings = { extends: "../../../tsconfig.test.json", include: ["./**/*.ts", "./**/*.mts"], exclude: [] };
  write(join(work, "tsconfig.json"), JSON.stringify(settings));
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

  const check = (config: string) =>
    run(process.execPath, [join(root, "cli/bin/mailhost.js"), "check", "--config", config]);

  for (const [index, snippet] of loose.entries()) {
    if (isTest(snippet) || isTested(snippet)) continue;
    test(`${snippet.page}, ${snippet.heading} (${index})`, { timeout: 60_000 }, async () => {
      const copy = fileOf(snippet, index).replace(/\.(m?ts)$/, ".run.$1");
      // A program ends once everything is up
      const over = listens(snippet) ? "\nsetTimeout(() => process.exit(0), 300);\n" : "";
      write(copy, here(snippet.code) + over);
      const ran = configures(snippet)
        ? await check(copy)
        : await run(process.execPath, ["-C", "@mailhost/source", "--import", "tsx", copy]);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    });
  }

  for (const { page, stage, folder, files } of stages.filter(({ stage, page }) => isFirstOrLast(page, stage)))
    test(`${page}, the configuration of stage ${stage}`, { timeout: 60_000 }, async () => {
      const config = join(folder, "mailhost.config.run.mts");
      write(config, here(files.get("mailhost.config.mts") ?? ""));
      const ran = await check(config);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    });
});

/** A test of the same page imports it: that one runs it. */
const isTested = ({ page, file }: Snippet): boolean =>
  file !== undefined && loose.some((other) => other.page === page && isTest(other) && other.code.includes(`/${file}"`));

const isFirstOrLast = (page: string, stage: number): boolean => {
  const all = stages.filter((other) => other.page === page).map((other) => other.stage);
  return stage === Math.min(...all) || stage === Math.max(...all);
};

test("every test in the documentation passes", { timeout: 180_000 }, async () => {
  const settings = join(work, "vitest.config.mts");
  write(
    settings,
    `export default { root: ${JSON.stringify(work)}, ssr: { resolve: { conditions: ["@mailhost/source", "node", "import", "default"] } }, test: { pool: "threads", isolate: false, include: ["**/*.ts"], exclude: ["**/*.run.*", "**/vitest.config.mts"], passWithNoTests: false } };`,
  );
  const files = [
    ...loose.flatMap((snippet, index) => (isTest(snippet) ? [fileOf(snippet, index)] : [])),
    ...stages.flatMap(({ folder, tests }) => tests.map((file) => join(folder, file))),
  ];
  const ran = await run(
    process.execPath,
    ["-C", "@mailhost/source", join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", settings, ...files],
    "",
    { VITEST_REPORT: undefined },
    180,
  );
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  expect(/Test Files +(\d+) passed/.exec(stripVTControlCharacters(ran.stdout))?.[1]).toBe(String(files.length));
});

describe.each(Object.entries(grown))("%s ends where %s stands", (page, example) => {
  const last = stages.filter((stage) => stage.page === page).at(-1)?.files ?? new Map<string, string>();

  test("in every file of its source", () => {
    const source = readdirSync(join(root, example, "src")).map((name) => `src/${name}`);
    expect([...last.keys()]).toEqual(expect.arrayContaining([...source, "package.json", "tsconfig.json"]));
  });

  test.each([...last].filter(([file]) => /^src|json$/.test(file)))("%s is the same", (file, text) => {
    const there = readFileSync(join(root, example, file), "utf8");
    // Lists of manifests are laid out in their own way
    if (file.endsWith(".json")) expect(JSON.parse(text)).toEqual(JSON.parse(there));
    else expect(text).toBe(there);
  });
});

test("docs/hooks.md is what the code says", () => {
  expect(readFileSync(join(root, "docs/hooks.md"), "utf8").replaceAll(/\s+\|/g, " |").replaceAll(/-+ \|/g, "- |")).toBe(
    hooksPage().replaceAll(/\s+\|/g, " |").replaceAll(/-+ \|/g, "- |"),
  );
});

test("every link between the documents leads somewhere", () => {
  const broken: string[] = [];
  for (const page of [
    ...pages,
    ...examplePages,
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/decisions/README.md",
  ]) {
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
