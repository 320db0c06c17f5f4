import { AsyncLocalStorage } from "node:async_hooks";
import type { Extension, HookName, Session } from "@mailhost/core";

/** How it was tapped. */
export type Kind = "sync" | "async" | "promise";

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
