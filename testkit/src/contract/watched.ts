import type {
  Clock,
  Delivery,
  HookName,
  Host,
  Plugin,
  PluginHooks,
  Session,
  Staged,
  TapCallback,
  TapOptions,
} from "@mailhost/core";
import { type Kind, type Phase, type Probe, type TapCall, type WatchedTap, inPlugin } from "./probe.ts";

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
