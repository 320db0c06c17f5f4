import type { Generation, MailhostOptions } from "@mailhost/core";
import type { Origins } from "../config/plugins.ts";

/** Where a plugin's manifest and the package.json it came with say different things. npm believes the one, core the other. */
export const packageWarnings = ({ plugins }: Generation, origins: Origins): string[] =>
  plugins.flatMap(({ name, version, core, where }) => {
    const from = origins.get(where)?.package;
    if (from === undefined) return [];
    const warnings: string[] = [];
    if (from.version !== version)
      warnings.push(
        `plugin ${name} says it is ${version}, and its package ${from.name} is ${from.version ?? "without a version"}`,
      );
    if (from.corePeer === undefined)
      warnings.push(
        `plugin ${name} runs with core ${core}, and its package ${from.name} has no peer dependency on @mailhost/core: npm may install a second core beside this one`,
      );
    else if (from.corePeer !== core)
      warnings.push(
        `plugin ${name} says it runs with core ${core}, and the peer dependency of its package ${from.name} says ${from.corePeer}`,
      );
    return warnings;
  });

/** Plugins that are given options and have no schema to check them with: a slip of the pen goes unseen. */
export function uncheckedOptions({ plugins = [], listeners = [] }: MailhostOptions): string[] {
  const all = [...plugins, ...listeners.flatMap((listener) => listener.plugins ?? [])];
  return all.flatMap(({ name, definition, options }) =>
    definition.options === undefined && typeof options === "object" && options !== null && hasKeys(options)
      ? [`plugin ${name} is given options and checks none of them: a slip of the pen in them goes unseen`]
      : [],
  );
}

const hasKeys = (options: object): boolean => Object.keys(options).length > 0;
