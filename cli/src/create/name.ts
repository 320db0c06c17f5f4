import { brought } from "../config/locate.ts";

/** A plugin's names: those of its package, its manifest, and what a configuration calls it by. */
export interface PluginNames {
  readonly package: string;
  readonly plugin: string;
  readonly configured: string;
  readonly folder: string;
}

const prefix = "mailhost-plugin-";

/**
 * The names of a new plugin: `greylist`, `mailhost-plugin-greylist` and `@scope/greylist` are understood.
 * Gives the problem in words where the name is none for npm, or would be found under another plugin's.
 */
export function namesOf(given: string): PluginNames | string {
  const [, scope, rest = ""] = /^(?:@([^/]*)\/)?(.*)$/s.exec(given) ?? [];
  const plugin = rest.startsWith(prefix) ? rest.slice(prefix.length) : rest;
  const folder = `${prefix}${plugin}`;
  const whole = scope === undefined ? folder : `@${scope}/${folder}`;
  const wrong =
    !isNpmName(plugin) || (scope !== undefined && !isNpmName(scope))
      ? "npm takes lower-case letters, digits, dots, _ and -, beginning with a letter or a digit"
      : whole.length > 214
        ? "npm takes at most 214 characters"
        : undefined;
  if (wrong !== undefined) {
    const near = suggestion(plugin);
    return `${JSON.stringify(given)} is no name for a package: ${wrong}.${near === undefined ? "" : ` Did you mean ${near}?`}`;
  }
  if (scope === undefined && brought.includes(plugin))
    return `a configuration that says ${plugin} gets mailhost's own plugin of that name. Choose another, or a scope: @yours/${plugin}`;
  return { package: whole, plugin, configured: scope === undefined ? plugin : whole, folder };
}

const isNpmName = (name: string): boolean => /^[a-z0-9][a-z0-9._-]*$/.test(name);

function suggestion(name: string): string | undefined {
  const near = name
    .normalize("NFKD")
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, "-")
    .toLowerCase()
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return isNpmName(near) && near !== name ? near : undefined;
}
