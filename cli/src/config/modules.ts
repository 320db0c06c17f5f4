import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describeError, errorCode } from "./problem.ts";

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
  // A module namespace is an object whatever it exports
  return (await import(url.href)) as object;
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
  const missing = missingPackage(error);
  if (missing !== undefined)
    return { what: `it imports ${missing}, which is not installed`, mend: `Run: npm install ${missing}` };
  const message = describeError(error);
  if (error instanceof SyntaxError || (error instanceof Error && error.name === "TransformError"))
    return { what: `syntax error: ${placed(error, message)}`, mend: "Mend the line it names." };
  return { what: `it could not be loaded: ${placed(error, message)}`, mend: "Mend the line it names." };
}

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
    `${errorCode(error) ?? ""} ${describeError(error)}`,
  );

function missingPackage(error: unknown): string | undefined {
  if (errorCode(error) !== "ERR_MODULE_NOT_FOUND" && errorCode(error) !== "MODULE_NOT_FOUND") return undefined;
  const name = /Cannot find (?:package|module) '([^'./][^']*)'/.exec(describeError(error))?.[1];
  return name === undefined ? undefined : /^(@[^/]+\/[^/]+|[^/]+)/.exec(name)?.[1];
}

/** A syntax error of V8 keeps its place in the first line of the stack: `file:///…/mailhost.config.mjs:3`. */
function placed(error: unknown, message: string): string {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const place =
    /^(file:\/\/\S+?|\/\S+?)(?:\?[^:\s]*)?:(\d+)/.exec(stack) ??
    /\((file:\/\/\S+?|\/\S+?)(?:\?[^:\s]*)?:(\d+)/.exec(stack);
  if (place === null || message.includes(":")) return message;
  const [, at = "", line = ""] = place;
  return `${message} (${at.startsWith("file:") ? fileURLToPath(at) : at}:${line})`;
}
