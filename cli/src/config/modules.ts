import { errorCode } from "@mailhost/core";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { describeError } from "./problem.ts";

/** This very file is TypeScript: the source runs, tsx is there already, and so is the export condition. */
export const runsFromSource = import.meta.url.endsWith(".ts");

const typeScript = new Set([".ts", ".mts", ".cts"]);

let ready = runsFromSource;

/** Teaches Node TypeScript, once and only when somebody needs it. Plain `register`: `tsImport` would load a second core. */
async function learnTypeScript(): Promise<void> {
  if (ready) return;
  ready = true;
  const { register } = await import("tsx/esm/api");
  register();
}

let times = 0;
let importing = 0;

/** Node rejects a second promise, which nobody holds, when TypeScript without a module package fails to load. */
export const isImporting = (): boolean => importing > 0;

/** The module in `file`, TypeScript included. `fresh` runs it again although it was imported before. */
export async function importFile(file: string, fresh = false): Promise<object> {
  if (typeScript.has(extname(file))) await learnTypeScript();
  const url = pathToFileURL(file);
  if (fresh) {
    times += 1;
    url.search = `mailhost=${times}`;
    const { cache } = createRequire(import.meta.url);
    delete cache[file];
  }
  importing += 1;
  const ignore = (): void => {};
  process.on("unhandledRejection", ignore);
  try {
    // A module namespace is an object whatever it exports
    return (await import(url.href)) as object;
  } finally {
    setImmediate(() => {
      importing -= 1;
      process.off("unhandledRejection", ignore);
    });
  }
}

/** The default export; CommonJS interop may have wrapped it once more. */
export function defaultExport(module: object): unknown {
  const first = "default" in module ? module.default : undefined;
  const wrapped =
    typeof first === "object" && first !== null && "__esModule" in first && "default" in first ? first.default : first;
  return wrapped;
}

/** What went wrong when `file` was imported, and how to mend it. */
export function importProblem(error: unknown, file: string): { what: string; mend: string } {
  if (extname(file) === ".ts" && !inModulePackage(file) && looksLikeModuleTrouble(error))
    return {
      what: 'it is TypeScript with import or export, in a package without "type": "module", which this Node reads as CommonJS',
      mend: `Rename it to ${file.slice(0, -3)}.mts, or add "type": "module" to package.json.`,
    };
  const other = /Cannot require\(\) ES Module (\/\S+)\.ts /.exec(describeError(error))?.[1];
  if (other !== undefined)
    return {
      what: `it imports ${other}.ts, which is in a package without "type": "module"`,
      mend: `Rename it to ${other}.mts, or add "type": "module" to package.json.`,
    };
  const missing = missingPackage(error);
  if (missing !== undefined)
    return { what: `it imports ${missing}, which is not installed`, mend: `Run: npm install ${missing}` };
  const message = describeError(error);
  if (error instanceof Error && error.name === "TransformError")
    return { what: `syntax error: ${ofTranspiler(message, file)}`, mend: mendLine };
  if (error instanceof SyntaxError)
    return { what: `syntax error: ${message}${syntaxPlace(file) ?? ""}`, mend: mendLine };
  return { what: `it could not be loaded: ${message}${thrownPlace(error, file) ?? ""}`, mend: mendLine };
}

const mendLine = "Mend the line it names.";

/** The nearest package.json decides what a `.ts` file is. */
function inModulePackage(file: string): boolean {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) {
      try {
        const parsed: unknown = JSON.parse(readFileSync(manifest, "utf8"));
        return typeof parsed === "object" && parsed !== null && "type" in parsed && parsed.type === "module";
      } catch {
        return false;
      }
    }
    if (dirname(folder) === folder) return false;
  }
}

const looksLikeModuleTrouble = (error: unknown): boolean =>
  /Cannot use import statement|Unexpected token 'export'|Unexpected token 'import'|Unexpected identifier|Unexpected strict mode|Unknown file extension|Cannot require|No "exports" main|top-level await|ERR_REQUIRE|does not provide an export named/i.test(
    `${errorCode(error)} ${describeError(error)}`,
  );

function missingPackage(error: unknown): string | undefined {
  if (errorCode(error) !== "ERR_MODULE_NOT_FOUND" && errorCode(error) !== "MODULE_NOT_FOUND") return undefined;
  const name = /Cannot find (?:package|module) '([^'./][^']*)'/.exec(describeError(error))?.[1];
  return name === undefined ? undefined : /^(@[^/]+\/[^/]+|[^/]+)/.exec(name)?.[1];
}

/** tsx calls every file `.ts` when it talks to its transpiler. */
const ofTranspiler = (message: string, file: string): string =>
  message.replace(/^Transform failed with \d+ errors?: /, "").replaceAll(file.replace(/\.[mc]ts$/, ".ts"), file);

/** Where V8 stumbled: it tells nobody but the terminal, so a second Node is asked. */
function syntaxPlace(file: string): string | undefined {
  const { stderr } = spawnSync(process.execPath, ["--check", file], { encoding: "utf8", timeout: 10_000 });
  const line = /^(?:file:\/\/)?\/\S*?:(\d+)$/m.exec(stderr)?.[1];
  return line === undefined ? undefined : ` (${file}:${line})`;
}

/** The first line of `file` in the stack. */
function thrownPlace(error: unknown, file: string): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const [, at = "", line] of stack.matchAll(/(file:\/\/[^\s()?]+|\/[^\s():?]+)(?:\?[^\s():]*)?:(\d+):\d+/g))
    if (at === file || at === pathToFileURL(file).href) return ` (${file}:${line})`;
  return undefined;
}
