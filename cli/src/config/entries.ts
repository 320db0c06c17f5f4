import { type Placement, type PluginFactory, type Problem, isPluginFactory, nearest } from "@mailhost/core";

/** What is wrong with an entry of `plugins`. */
export type Trouble = Pick<Problem, "code" | "what" | "mend">;

/** An entry of `plugins`, read: a plugin by name or by its factory. */
export interface NamedPlugin {
  readonly from: string | PluginFactory<unknown>;
  readonly options: object;
  readonly placement: Placement;
}

/** Reads an entry that is no plugin yet. */
export function readEntry(entry: unknown): NamedPlugin | Trouble {
  if (typeof entry === "string") return { from: entry, options: {}, placement: {} };
  if (isPluginFactory(entry)) return { from: entry, options: {}, placement: {} };
  if (Array.isArray(entry)) {
    const [name, options = {}, ...more]: unknown[] = entry;
    if (typeof name === "string" && typeof options === "object" && options !== null && more.length === 0)
      return { from: name, options, placement: {} };
    return shapeTrouble("a list that is not [name, options]");
  }
  if (typeof entry !== "object" || entry === null) return shapeTrouble(`${String(entry)}, which is no plugin`);
  return readObject(entry);
}

const objectKeys = ["plugin", "options", "as", "onFailure"];

function readObject(entry: object): NamedPlugin | Trouble {
  const unknown = Object.keys(entry).find((key) => !objectKeys.includes(key));
  if (unknown !== undefined) {
    const near = nearest(unknown, objectKeys);
    const mend =
      near === undefined
        ? `Here stand ${objectKeys.join(", ")}; what is the plugin's own stands in options.`
        : `Did you mean ${near}?`;
    return { code: "UNKNOWN_OPTION", what: `a plugin's entry has no ${unknown}`, mend };
  }
  // Read as unknown: what a file holds has no type
  const { plugin, options = {}, as, onFailure } = entry as Readonly<Record<string, unknown>>;
  if (typeof plugin !== "string" && !isPluginFactory(plugin))
    return shapeTrouble("an entry without the name of a plugin");
  if (typeof options !== "object" || options === null) return shapeTrouble("options that are no table");
  if (as !== undefined && (typeof as !== "string" || as === "")) return shapeTrouble("an `as` that is no name");
  if (!isOnFailure(onFailure)) return shapeTrouble("an onFailure that is neither defer nor ignore");
  const placement: Placement = {
    ...(as === undefined ? {} : { as }),
    ...(onFailure === undefined ? {} : { onFailure }),
  };
  return { from: plugin, options, placement };
}

const isOnFailure = (given: unknown): given is Placement["onFailure"] =>
  given === undefined ||
  given === "defer" ||
  given === "ignore" ||
  (typeof given === "object" &&
    given !== null &&
    Object.values(given).every((one) => one === "defer" || one === "ignore"));

const shapeTrouble = (what: string): Trouble => ({
  code: "BAD_PLUGIN",
  what: `here stands ${what}`,
  mend: 'Write "maildir", ["maildir", { … }] or { plugin: "maildir", as: "other", options: { … } }.',
});
