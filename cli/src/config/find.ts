import { accessSync, constants, existsSync } from "node:fs";
import { basename, extname, join, resolve } from "node:path";
import { cosmiconfig, defaultLoaders } from "cosmiconfig";
import { defaultExport, importFile, importProblem } from "./modules.ts";
import { configurationError, describeError, isConfigurationError } from "./problem.ts";

/** A configuration as it was found. */
export interface Found {
  readonly config: unknown;
  readonly file: string;
  /** Its text, where it is data (JSON, YAML): problems then have a line. */
  readonly text: string | undefined;
  /** Other configurations in the folder, which are not read. */
  readonly ignored: readonly string[];
}

export const searchPlaces: readonly string[] = [
  ...["ts", "mts", "cts", "js", "mjs", "cjs", "json", "yaml", "yml"].map((end) => `mailhost.config.${end}`),
  ...["", ".json", ".yaml", ".yml"].map((end) => `.mailhostrc${end}`),
  "package.json",
];

const moduleEnds = [".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"];

/**
 * The configuration in `file`, or the first of `searchPlaces` in `folder` and in no other: what stands in a folder
 * above may be somebody else's code. Undefined when there is none. Rejects with a ConfigurationError.
 */
export async function find(folder: string, file: string | undefined, fresh = false): Promise<Found | undefined> {
  if (file !== undefined) return load(resolve(folder, file), fresh);
  for (const place of searchPlaces) mustBeReadable(join(folder, place));
  let text: string | undefined;
  const explorer = makeExplorer(fresh, (content) => (text = content));
  const result = await explorer.search(folder);
  if (result === null) return undefined;
  const ignored = searchPlaces.filter(
    (place) => place !== "package.json" && place !== basename(result.filepath) && existsSync(join(folder, place)),
  );
  return checked(result, text, ignored);
}

async function load(file: string, fresh: boolean): Promise<Found> {
  if (!existsSync(file))
    throw configurationError({
      code: "BAD_FILE",
      where: file,
      what: "there is no such file",
      mend: "Name one that is there, or run mailhost init.",
    });
  mustBeReadable(file);
  let text: string | undefined;
  try {
    const result = await makeExplorer(fresh, (content) => (text = content)).load(file);
    return checked(result ?? { config: undefined, filepath: file }, text, []);
  } catch (error) {
    if (isConfigurationError(error)) throw error;
    throw configurationError({
      code: "BAD_FILE",
      where: file,
      what: describeError(error),
      mend: "Use one of .ts, .mts, .cts, .js, .mjs, .cjs, .json, .yaml.",
    });
  }
}

/** cosmiconfig passes over what it may not read, and the server would then run on no configuration. */
function mustBeReadable(file: string): void {
  if (!existsSync(file)) return;
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw configurationError({
      code: "BAD_FILE",
      where: file,
      what: `it cannot be read: ${describeError(error)}`,
      mend: `Give this user the right to read it: ls -l ${file}`,
    });
  }
}

function checked(
  { config, filepath }: { config: unknown; filepath: string },
  text: string | undefined,
  ignored: readonly string[],
): Found {
  if (config === undefined || config === null)
    throw configurationError({
      code: "BAD_FILE",
      where: filepath,
      what: moduleEnds.includes(extname(filepath))
        ? "it exports no configuration by default"
        : "it holds no configuration",
      mend: moduleEnds.includes(extname(filepath))
        ? "Add: export default { listeners: [{ port: 25 }], plugins: [ … ] }"
        : "Put the settings there, or run mailhost init.",
    });
  return { config, file: filepath, text, ignored };
}

type Read = (file: string, text: string) => unknown;

/** cosmiconfig takes an ENOENT thrown inside a configuration for a file that is not there, and goes on without it. */
const guarded =
  (read: Read) =>
  async (file: string, text: string): Promise<unknown> => {
    try {
      return await read(file, text);
    } catch (error) {
      throw asProblem(error, file, text);
    }
  };

function makeExplorer(fresh: boolean, sawText: (text: string) => void) {
  const data = (read: Read) =>
    guarded((file, text) => {
      sawText(text);
      return read(file, text);
    });
  const module = guarded(async (file) => {
    const exported = defaultExport(await importFile(file, fresh));
    return typeof exported === "function" ? await (exported as () => unknown)() : await exported;
  });
  return cosmiconfig("mailhost", {
    searchPlaces: [...searchPlaces],
    searchStrategy: "none",
    ignoreEmptySearchPlaces: false,
    cache: false,
    loaders: {
      ...Object.fromEntries(moduleEnds.map((end) => [end, module])),
      ".json": data(defaultLoaders[".json"]),
      ".yaml": data(defaultLoaders[".yaml"]),
      ".yml": data(defaultLoaders[".yml"]),
      noExt: data(defaultLoaders.noExt),
    },
  });
}

function asProblem(error: unknown, file: string, text: string): Error {
  if (isConfigurationError(error)) return error;
  if (moduleEnds.includes(extname(file)))
    return configurationError({ code: "BAD_FILE", where: file, ...importProblem(error, file) });
  const message = file.endsWith(".json") ? jsonTrouble(text) : describeError(error).replace(/^YAML Error in \S+: /, "");
  return configurationError({
    code: "BAD_FILE",
    where: file,
    what: `it does not parse: ${message}`,
    mend: "Mend the line it names.",
  });
}

/** What JSON.parse says, with line and column for its position. */
function jsonTrouble(text: string): string {
  try {
    JSON.parse(text);
    return "it is no JSON";
  } catch (error) {
    const [message = "", at] =
      /^(.*?)(?: (?:in JSON )?at position (\d+).*)?$/.exec(describeError(error))?.slice(1) ?? [];
    const before = text.slice(0, at === undefined ? text.length : Number(at)).split("\n");
    return `${message} (${before.length}:${(before.at(-1)?.length ?? 0) + 1})`;
  }
}
