import { type TapOwner, describe, fromPromise, guardAsync, guardSync, isThenable } from "./guard.ts";
import { Health } from "./health.ts";
import type { Hooks, PluginHooks, Stage, TapOptions, Tappable } from "./hooks.ts";
import { ConfigurationError, meant } from "./problems.ts";
import type { Call } from "./run.ts";
import type { Refusal } from "./opinion.ts";
import { tapProblem } from "./tap-problem.ts";
import type { Timeouts } from "./limits.ts";
import type { Plugin } from "./plugin.ts";
import type { HookName, TraceEvent } from "./trace.ts";
import type { Log } from "./services.ts";

type Kind = "sync" | "async" | "promise";
type AnyCall = Call<never, never>;

/** A tap as the facade noted it: put into its hook when the generation is sealed. */
export interface NotedTap {
  readonly hook: HookName;
  /** For queue: the transport. */
  readonly transport: string | undefined;
  readonly kind: Kind;
  readonly owner: TapOwner;
  readonly plugin: string;
  readonly stage: Stage;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** In `auth`: it may say who the client is. */
  readonly identifies: boolean;
  readonly insert: (hook: {
    tap: (name: string, run: (call: AnyCall) => Refusal | undefined) => void;
    tapAsync: (name: string, run: (call: AnyCall, done: (error: null, refusal?: Refusal) => void) => void) => void;
  }) => void;
}

/** A tap of `trace`. */
interface Watcher {
  readonly plugin: string;
  /** It looks at bodies. */
  readonly bodies: boolean;
  readonly watch: (event: TraceEvent) => void;
}

const misused = (what: string, mend: string): ConfigurationError =>
  new ConfigurationError([{ code: "APPLY_FAILED", where: "", what, mend }]);

/** Whoever awaits a thing or writes it out asks for these, of whatever it is. */
const askedOfAll: ReadonlySet<string> = new Set(["then", "toJSON"]);

/** JavaScript has no types that say a hook is misspelt, and undefined says nothing. */
const onlyThese = <Known extends object>(plugin: string, hooks: Known): Known =>
  new Proxy(hooks, {
    get(target, name): unknown {
      if (typeof name === "symbol" || name in target || askedOfAll.has(name)) return Reflect.get(target, name);
      throw misused(`plugin ${plugin}: there is no hook ${name}`, meant(name, Object.keys(target)));
    },
  });

/** What a plugin taps. Notes every tap; nothing of tapable is reachable. */
export class Facade {
  readonly taps: NotedTap[] = [];
  readonly watchers: Watcher[] = [];
  sealed = false;
  readonly health: Health;
  readonly #plugin: Plugin;
  readonly #timeouts: Timeouts;

  constructor(plugin: Plugin, timeouts: Timeouts, listener: string) {
    this.health = new Health(plugin.name, listener);
    this.#plugin = plugin;
    this.#timeouts = timeouts;
  }

  hooks(): PluginHooks {
    return onlyThese<PluginHooks>(this.#plugin.name, {
      connect: this.#tappable("connect"),
      ehlo: this.#tappable("ehlo"),
      auth: this.#tappable("auth"),
      rcpt: this.#tappable("rcpt"),
      data: this.#tappable("data"),
      queue: { for: (transport) => this.#tappable("queue", transport) },
      trace: {
        tap: (options, watch) => {
          this.#mustBeOpen();
          const bodies = typeof options === "string" || options.bodies !== false;
          this.watchers.push({ plugin: this.#plugin.name, bodies, watch });
        },
      },
    });
  }

  #tappable<Args extends readonly unknown[]>(hook: HookName, transport?: string): Tappable<Args> {
    // The guard takes any tap; Tappable's signatures are what keeps the arguments right
    return {
      tap: (options, judge) =>
        this.#note(
          hook,
          transport,
          "sync",
          options,
          judge,
          (owner) => (into) => into.tap(owner.tap, guardSync(owner, judge as never)),
        ),
      tapAsync: (options, judge) =>
        this.#note(
          hook,
          transport,
          "async",
          options,
          judge,
          (owner) => (into) => into.tapAsync(owner.tap, guardAsync(owner, judge as never)),
        ),
      tapPromise: (options, judge) =>
        this.#note(
          hook,
          transport,
          "promise",
          options,
          judge,
          (owner) => (into) => into.tapAsync(owner.tap, guardAsync(owner, fromPromise(judge as never))),
        ),
    };
  }

  #note(
    hook: HookName,
    transport: string | undefined,
    kind: Kind,
    given: string | TapOptions,
    judge: unknown,
    insert: (owner: TapOwner) => NotedTap["insert"],
  ): void {
    this.#mustBeOpen();
    const problem = tapProblem(given, judge);
    if (problem !== undefined)
      throw misused(`plugin ${this.#plugin.name}: a tap of ${hook} ${problem.what}`, problem.mend);
    const options: TapOptions = typeof given === "string" ? { name: given } : given;
    const { definition, name: plugin } = this.#plugin;
    const owner = this.#owner(hook, options);
    this.taps.push({
      hook,
      transport,
      kind,
      owner,
      plugin,
      stage: options.stage ?? "normal",
      before: [...(options.before ?? []), ...(definition.before ?? [])],
      after: [...(options.after ?? []), ...(definition.after ?? []), ...requiredNames(definition.requires)],
      identifies: options.identifies ?? true,
      insert: insert(owner),
    });
  }

  #owner(hook: HookName, options: TapOptions): TapOwner {
    const { definition, name, placement } = this.#plugin;
    const slow = hook === "data" || hook === "queue";
    return {
      hook,
      plugin: name,
      version: definition.version,
      tap: options.name,
      onFailure:
        perHook(placement.onFailure, hook) ?? options.onFailure ?? perHook(definition.onFailure, hook) ?? "defer",
      deadline: options.deadline ?? (slow ? this.#timeouts.delivery : this.#timeouts.tap),
      health: this.health,
    };
  }

  #mustBeOpen(): void {
    if (!this.sealed) return;
    const what = `plugin ${this.#plugin.name} taps or extends after the server was sealed`;
    throw new ConfigurationError([{ code: "TOO_LATE", where: "plugins", what, mend: "Do it in apply." }]);
  }
}

const perHook = (failure: Plugin["definition"]["onFailure"], hook: HookName) =>
  typeof failure === "object" ? failure[hook] : failure;

export const requiredNames = (requires: Plugin["definition"]["requires"]): readonly string[] =>
  requires === undefined ? [] : isList(requires) ? requires : Object.keys(requires);

const isList = (value: unknown): value is readonly string[] => Array.isArray(value);

/** Puts a guarded watcher on `trace`: what it throws is logged, once per plugin and message. */
export function insertWatcher(hooks: Hooks, plugin: string, watch: (event: TraceEvent) => void, log: Log): void {
  let reported = "";
  const failed = (error: unknown): void => {
    const text = describe(error);
    if (text !== reported) log.error({ plugin, hook: "trace", err: error }, `plugin ${plugin} failed in trace`);
    reported = text;
  };
  hooks.trace.tap(plugin, (event) => {
    try {
      const returned: unknown = watch(event);
      // An async function fits the type: its rejection must not become the process's
      if (isThenable(returned)) returned.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  });
}
