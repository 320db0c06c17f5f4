import { HookMap, SyncHook } from "tapable";
import type { Greeting, Session, Transaction } from "../protocol/session.ts";
import type { Credentials } from "./credentials.ts";
import type { Delivery } from "./delivery.ts";
import type { MessageView } from "./message-view.ts";
import { JudgeHook } from "./judge-hook.ts";
import type { Opinion } from "./opinion.ts";
import type { Recipient } from "./recipient.ts";
import type { OnFailure, TapCallback } from "./guard.ts";
import type { TraceEvent, WatchOptions } from "./trace.ts";

/** Where plugins judge. Made once per listener and generation. */
export const makeHooks = () =>
  Object.freeze({
    /** A client connected. Sees the session. Silence: 220. RFC 5321 §3.1. */
    connect: new JudgeHook<Session, []>(),
    /** EHLO or HELO was said. Sees greeting, session. Silence: 250. §4.1.1.1. */
    ehlo: new JudgeHook<Greeting, [Session]>(),
    /** Credentials have arrived. Sees credentials, session. Silence: 535, unless someone identified. RFC 4954. */
    auth: new JudgeHook<Credentials, [Session]>(),
    /** RCPT, sender policy too. Sees recipient, transaction, session. Silence: 550, unless permitted and routed. §4.1.1.3. */
    rcpt: new JudgeHook<Recipient, [Transaction, Session]>(),
    /** The message was received. Sees message, transaction, session. Silence: go on. §4.1.1.4. */
    data: new JudgeHook<MessageView, [Transaction, Session]>(),
    /** Copies leave, by transport. Sees delivery, session. Silence: 451, unless the owner staged. §4.2.5, §6.1. */
    queue: new HookMap(() => new JudgeHook<Delivery, [Session]>()),
    /** Anything happened. Sees a TraceEvent. It cannot change the dialogue. */
    trace: new SyncHook<[TraceEvent]>(["event"]),
  });

export type Hooks = ReturnType<typeof makeHooks>;

/** Where a tap stands among the others, and how its failures are treated. */
export interface TapOptions {
  /** For logs and `mailhost hooks`. */
  readonly name: string;
  /** Taps run in configuration order within a stage. */
  readonly stage?: Stage;
  /** Plugins whose taps of this hook come later. */
  readonly before?: readonly string[];
  /** Plugins whose taps of this hook come earlier. */
  readonly after?: readonly string[];
  readonly onFailure?: OnFailure;
  /** Milliseconds an async tap may take before the client gets 451. */
  readonly deadline?: number;
  /** In `auth`: false for a tap that only refuses. AUTH without one that may identify is a start-up error. */
  readonly identifies?: false;
}

export type Stage = "first" | "normal" | "last";

/** A hook as plugins see it. A tap returns a refusal or nothing; every yes is a call on its first argument. */
export interface Tappable<Args extends readonly unknown[]> {
  /** A sync tap: no time limit, no allocation, no promise. */
  tap(options: string | TapOptions, judge: (...args: Args) => Opinion): void;
  /** An async tap that calls back with `(error, opinion)`. `signal` aborts at the deadline, on disconnect, at shutdown. */
  tapAsync(
    options: string | TapOptions,
    judge: (...args: [...Args, signal: AbortSignal, callback: TapCallback]) => void,
  ): void;
  /** An async tap that returns a promise. `signal` as above. */
  tapPromise(options: string | TapOptions, judge: (...args: [...Args, signal: AbortSignal]) => Promise<Opinion>): void;
}

/** The hooks as plugins see them: tap, tapAsync, tapPromise and nothing else of tapable. */
export interface PluginHooks {
  readonly connect: Tappable<[session: Session]>;
  readonly ehlo: Tappable<[greeting: Greeting, session: Session]>;
  readonly auth: Tappable<[credentials: Credentials, session: Session]>;
  readonly rcpt: Tappable<[recipient: Recipient, transaction: Transaction, session: Session]>;
  readonly data: Tappable<[message: MessageView, transaction: Transaction, session: Session]>;
  readonly queue: { for(transport: string): Tappable<[delivery: Delivery, session: Session]> };
  readonly trace: { tap(options: string | WatchOptions, watch: (event: TraceEvent) => void): void };
}
