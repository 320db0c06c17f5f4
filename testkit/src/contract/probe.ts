import { AsyncLocalStorage } from "node:async_hooks";
import type {
  Clock,
  Delivery,
  Extension,
  HookName,
  Host,
  Plugin,
  PluginHooks,
  Session,
  Staged,
  TapCallback,
  TapOptions,
} from "@mailhost/core";

type Kind = "sync" | "async" | "promise";

/** A tap of the plugin that is watched. */
export interface WatchedTap {
  readonly hook: HookName;
  readonly tap: string;
  readonly kind: Kind;
  /** Milliseconds it may take, where the tap says so. */
  readonly deadline: number | undefined;
}

/** A tap under way. */
export interface TapCall extends WatchedTap {
  readonly signal: AbortSignal | undefined;
  readonly session: Session;
  /** When timers fall due that it set on the host's clock and waits for. */
  readonly timers: Set<number>;
  /** Milliseconds since the epoch when it began, really. */
  readonly began: number;
}

/** What becomes of what was staged. */
export type Phase = "commit" | "abort";

/** What runs in the plugin's name, in a tap or elsewhere: timers and watchers made there are the plugin's. */
export const inPlugin = new AsyncLocalStorage<TapCall | "elsewhere">();

type Word = "verbs" | "mailParameters" | "rcptParameters" | "mechanisms" | "transports";

/** Watches one plugin from between it and core: which taps it has, which are under way, what it leaves open. */
export class Probe {
  readonly taps: WatchedTap[] = [];
  /** Words the plugin brings, by kind. Names only: what belongs to a generation must not be held by it. */
  readonly words: Readonly<Record<Word, Set<string>>> = {
    verbs: new Set(),
    mailParameters: new Set(),
    rcptParameters: new Set(),
    mechanisms: new Set(),
    transports: new Set(),
  };
  readonly pending = new Set<TapCall>();
  /** Errors of taps nobody waited for any more. */
  readonly forgiven = new WeakSet<object>();
  /** One per listener and generation. */
  readonly applied: WeakRef<object>[] = [];
  /** Every session a tap has seen. */
  readonly sessions = new Set<WeakRef<Session>>();
  /** Carries out what a transport staged, or does not. */
  onPhase: ((phase: Phase, work: () => unknown) => unknown) | undefined;
  closersAsked = 0;
  closersDone = 0;
  /** Called when a tap begins: for async ones once it waits. */
  onTap: ((call: TapCall) => void) | undefined;
  /** What a tap's answer waits for. */
  hold: ((call: TapCall) => Promise<void> | undefined) | undefined;
  readonly #seen = new WeakSet<Session>();

  begin(tap: WatchedTap, session: Session, signal?: AbortSignal): TapCall {
    if (!this.#seen.has(session)) {
      this.#seen.add(session);
      this.sessions.add(new WeakRef(session));
    }
    const call: TapCall = { ...tap, session, signal, timers: new Set(), began: Date.now() };
    this.pending.add(call);
    return call;
  }

  extended(extension: Extension, plugin: string): void {
    const { words } = this;
    for (const kind of ["verbs", "mailParameters", "rcptParameters"] as const)
      for (const name of Object.keys(extension[kind] ?? {})) words[kind].add(name);
    for (const { name } of extension.mechanisms ?? []) words.mechanisms.add(name);
    for (const { name = plugin } of extension.transports ?? []) words.transports.add(name);
  }

  end(call: TapCall, error?: unknown): void {
    this.pending.delete(call);
    if (call.signal?.aborted === true && typeof error === "object" && error !== null) this.forgiven.add(error);
  }
}

/** The same plugin with the probe around everything core calls and everything it is given. */
export function watched(plugin: Plugin, probe: Probe): Plugin {
  const { definition } = plugin;
  const apply: typeof definition.apply = (host, options) => {
    const given = watchedHost(host, probe);
    probe.applied.push(new WeakRef(given));
    return inPlugin.run("elsewhere", () => definition.apply(given, options));
  };
  return { ...plugin, definition: { ...definition, apply } };
}

/** What a plugin logs is its own affair: only what core says of it counts. */
const quiet: Host["log"] = { debug() {}, info() {}, warn() {}, error() {} };

/** The same plugin with its log thrown away. */
export const silenced = (plugin: Plugin): Plugin => ({
  ...plugin,
  definition: {
    ...plugin.definition,
    apply: (host, options) => plugin.definition.apply({ ...host, log: quiet }, options),
  },
});

function watchedHost(host: Host, probe: Probe): Host {
  return {
    ...host,
    hooks: watchedHooks(host.hooks, probe),
    log: quiet,
    clock: watchedClock(host.clock),
    extend(extension) {
      probe.extended(extension, host.name);
      host.extend(extension);
    },
    onClose(close) {
      probe.closersAsked += 1;
      host.onClose(async () => {
        await close();
        probe.closersDone += 1;
      });
    },
    shared: (key, open, close) => host.shared(key, () => inPlugin.run("elsewhere", open), close),
  };
}

/** The same clock; it remembers what a tap waits for. */
const watchedClock = (clock: Clock): Clock => ({
  now: () => clock.now(),
  after(milliseconds, call) {
    const tap = inPlugin.getStore();
    if (tap === undefined || tap === "elsewhere") return clock.after(milliseconds, call);
    const at = clock.now() + milliseconds;
    tap.timers.add(at);
    const cancel = clock.after(milliseconds, () => {
      tap.timers.delete(at);
      call();
    });
    return () => {
      tap.timers.delete(at);
      cancel();
    };
  },
});

/** Taps as they are passed through: whatever goes in comes out. */
type AnyTap = (...args: readonly unknown[]) => unknown;
type AnyTappable = Readonly<
  Record<"tap" | "tapAsync" | "tapPromise", (options: string | TapOptions, judge: AnyTap) => void>
>;

function watchedHooks(hooks: PluginHooks, probe: Probe): PluginHooks {
  const around = <T>(hook: HookName, inner: T): T =>
    // What is passed through has the types of what it is passed to
    new WatchedHook(hook, inner as AnyTappable, probe) as T;
  return {
    connect: around("connect", hooks.connect),
    ehlo: around("ehlo", hooks.ehlo),
    auth: around("auth", hooks.auth),
    rcpt: around("rcpt", hooks.rcpt),
    data: around("data", hooks.data),
    queue: { for: (transport) => around("queue", hooks.queue.for(transport)) },
    trace: hooks.trace,
  };
}

class WatchedHook implements AnyTappable {
  readonly #hook: HookName;
  readonly #inner: AnyTappable;
  readonly #probe: Probe;

  constructor(hook: HookName, inner: AnyTappable, probe: Probe) {
    this.#hook = hook;
    this.#inner = inner;
    this.#probe = probe;
  }

  tap(options: string | TapOptions, judge: AnyTap): void {
    const tap = this.#note(options, "sync");
    const probe = this.#probe;
    this.#inner.tap(options, (...given) => {
      const args = this.#arguments(given);
      const call = probe.begin(tap, args.at(-1) as Session); // the last argument of every sync tap
      try {
        probe.onTap?.(call);
        return inPlugin.run(call, () => judge(...args));
      } finally {
        probe.end(call);
      }
    });
  }

  tapPromise(options: string | TapOptions, judge: AnyTap): void {
    const tap = this.#note(options, "promise");
    const probe = this.#probe;
    this.#inner.tapPromise(options, (...given) => {
      const args = this.#arguments(given);
      const [session, signal] = args.slice(-2) as [Session, AbortSignal]; // the last two of every promise tap
      const call = probe.begin(tap, session, signal);
      const held = probe.hold?.(call);
      const returned = this.#run(call, () => judge(...args));
      probe.onTap?.(call);
      if (!(returned instanceof Promise)) return returned;
      const settled = this.#settled(call, returned);
      return held === undefined ? settled : held.then(() => settled);
    });
  }

  tapAsync(options: string | TapOptions, judge: AnyTap): void {
    const tap = this.#note(options, "async");
    const probe = this.#probe;
    this.#inner.tapAsync(options, (...given) => {
      const args = this.#arguments(given);
      // The last three of every async tap
      const [session, signal, callback] = args.slice(-3) as [Session, AbortSignal, TapCallback];
      const call = probe.begin(tap, session, signal);
      const held = probe.hold?.(call);
      const answer: TapCallback = (error, opinion) => {
        probe.end(call, error);
        if (held === undefined) callback(error, opinion);
        else void held.then(() => callback(error, opinion));
      };
      const returned = this.#run(call, () => judge(...args.slice(0, -1), answer));
      probe.onTap?.(call);
      return returned;
    });
  }

  #note(options: string | TapOptions, kind: Kind): WatchedTap {
    const { name, deadline } = typeof options === "string" ? { name: options, deadline: undefined } : options;
    const tap = { hook: this.#hook, tap: name, kind, deadline };
    this.#probe.taps.push(tap);
    return tap;
  }

  #arguments(args: readonly unknown[]): readonly unknown[] {
    if (this.#hook !== "queue") return args;
    const [delivery, ...rest] = args;
    return [watchedDelivery(delivery as Delivery, this.#probe), ...rest]; // the first argument of every queue tap
  }

  #run(call: TapCall, judge: () => unknown): unknown {
    try {
      return inPlugin.run(call, judge);
    } catch (error) {
      this.#probe.end(call, error);
      throw error;
    }
  }

  #settled(call: TapCall, returned: Promise<unknown>): Promise<unknown> {
    const settled = returned.then(
      (opinion) => {
        this.#probe.end(call);
        return opinion;
      },
      (error: unknown) => {
        this.#probe.end(call, error);
        throw error;
      },
    );
    settled.catch(() => {}); // while it is held nobody else looks
    return settled;
  }
}

/** The same delivery; what is staged there is carried out in the plugin's name. */
function watchedDelivery(delivery: Delivery, probe: Probe): Delivery {
  const carry = (phase: Phase, work: () => unknown): unknown =>
    inPlugin.run("elsewhere", () => (probe.onPhase === undefined ? work() : probe.onPhase(phase, work)));
  const stage = (staged: Staged): void =>
    delivery.stage({
      // What comes out goes through, whatever it is
      commit: () => carry("commit", () => staged.commit()) as ReturnType<Staged["commit"]>,
      abort: () => carry("abort", () => staged.abort()) as ReturnType<Staged["abort"]>,
    });
  return new Proxy(delivery, {
    get: (target, key) => (key === "stage" ? stage : Reflect.get(target, key, target)),
  });
}
