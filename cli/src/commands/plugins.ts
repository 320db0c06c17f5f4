import { describePlugins, originOf, requiredBy, type PluginDescription } from "../manifest/describe.ts";
import { paint, table } from "../report.ts";
import { prepared } from "./prepared.ts";

/** `mailhost plugins`: what is in force on each listener, with all that its manifest says. */
export async function plugins(flags: { config?: string; json?: true }): Promise<void> {
  const { server, configuration } = await prepared(flags);
  const listeners = server.generations.map((generation) => ({
    listener: generation.listener.name,
    mode: generation.listener.mode,
    plugins: describePlugins(generation, configuration),
  }));
  if (flags.json === true) console.log(JSON.stringify(listeners, undefined, 2));
  else
    for (const { listener, mode, plugins: some } of listeners) {
      console.log(`listener ${listener} (${mode})`);
      for (const plugin of some) console.log(`\n  ${titleOf(plugin)}\n${table(rowsOf(plugin))}`);
      console.log();
    }
  await server.close();
}

/** `archive (maildir) 1.0.0`. */
const titleOf = ({ name, package: own, version }: PluginDescription): string =>
  `${paint("bold", name)}${own === name ? "" : ` (${own})`} ${version}`;

function rowsOf(plugin: PluginDescription): string[][] {
  const { configured, origin, core, before, after, taps, provides, permits, routes, options, watches } = plugin;
  const order = [
    ...(after.length === 0 ? [] : [`after ${after.join(", ")}`]),
    ...(before.length === 0 ? [] : [`before ${before.join(", ")}`]),
  ];
  const rows: [string, string][] = [
    ["configured", configured],
    ["from", originOf(origin)],
    ["core", core],
    ["requires", requiredBy(plugin)],
    ["order", order.join("; ")],
    ["hooks", [...hooksOf(taps), ...(watches ? ["trace"] : [])].join(", ")],
    ["provides", provides.join(", ")],
    ["permits", permits.join(", ")],
    ["routes to", [...new Set(routes.map(({ transport }) => transport))].join(", ")],
    ["options", options === undefined ? "unchecked: it has no schema" : options.join(", ") || "none"],
  ];
  return rows.filter(([, value]) => value !== "").map(([key, value]) => [`    ${key}`, value]);
}

/** Each hook once, with what its failures cost: `rcpt (failure: defer)`. */
function hooksOf(taps: PluginDescription["taps"]): string[] {
  const policies = new Map<string, Set<string>>();
  for (const { hook, onFailure } of taps) policies.set(hook, (policies.get(hook) ?? new Set()).add(onFailure));
  return [...policies].map(([hook, some]) => `${hook} (failure: ${[...some].join(" or ")})`);
}
