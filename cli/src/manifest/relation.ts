import type { PlannedPlugin, PlannedTap } from "@mailhost/core";

/** A hook with its taps in order, and the plugins in the order of the configuration. */
export interface Lineup {
  readonly taps: readonly PlannedTap[];
  readonly plugins: readonly PlannedPlugin[];
}

/** Why the tap at `earlier` comes before the one at `later`, in words that follow "because". */
export function reasonBetween({ taps, plugins }: Lineup, earlier: number, later: number): string {
  const [one, other] = [taps[earlier], taps[later]];
  if (one === undefined || other === undefined) return "";
  if (one.plugin === other.plugin && one.stage === other.stage) return "one plugin's taps stay in its own order";
  if (other.after.includes(one.plugin))
    return `${other.plugin} ${requires(plugins, other.plugin, one.plugin) ? "requires" : "says after"} ${one.plugin}`;
  if (one.before.includes(other.plugin)) return `${one.plugin} says before ${other.plugin}`;
  // It would have come later by stage or configuration: somebody held the other back
  if (!comesFirst(one, other, plugins)) {
    const holds = taps.slice(earlier + 1, later).find((tap) => mustPrecede(tap, other));
    return `${other.plugin} waits for ${holds?.plugin ?? "others"}, which stands behind ${one.plugin}`;
  }
  if (one.stage !== other.stage) return `stage ${one.stage} comes before stage ${other.stage}`;
  return `${one.plugin} is configured earlier (${whereOf(plugins, one.plugin)})`;
}

const mustPrecede = (one: PlannedTap, other: PlannedTap): boolean =>
  one.before.includes(other.plugin) || other.after.includes(one.plugin);

const stages = ["first", "normal", "last"];

function comesFirst(one: PlannedTap, other: PlannedTap, plugins: readonly PlannedPlugin[]): boolean {
  if (one.stage !== other.stage) return stages.indexOf(one.stage) < stages.indexOf(other.stage);
  const placeOf = (name: string): number => plugins.findIndex((plugin) => plugin.name === name);
  return placeOf(one.plugin) < placeOf(other.plugin);
}

const whereOf = (plugins: readonly PlannedPlugin[], name: string): string =>
  plugins.find((plugin) => plugin.name === name)?.where ?? "";

/** Whether `asking` requires the plugin that stands as `name`, under that name or its own. */
export function requires(plugins: readonly PlannedPlugin[], asking: string, name: string): boolean {
  const one = plugins.find((plugin) => plugin.name === asking);
  return one !== undefined && Object.keys(one.requires).some((wanted) => standsFor(plugins, wanted) === name);
}

/** The name a required plugin stands under, as core finds it: that very name, else the first of that package. */
export const standsFor = (plugins: readonly PlannedPlugin[], wanted: string): string | undefined =>
  (plugins.find(({ name }) => name === wanted) ?? plugins.find((plugin) => plugin.package === wanted))?.name;
