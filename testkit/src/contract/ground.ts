import { type HookName, type Log, Mailhost, type MailhostOptions, type Plugin, defaultTimeouts } from "@mailhost/core";
import { Client, type SpeakerOptions } from "../client.ts";
import { TestClock } from "../clock.ts";
import { TestResolver } from "../resolver.ts";
import { sink } from "../sink.ts";
import type { Contract } from "./about.ts";
import { Probe, type WatchedTap } from "./probe.ts";
import { nextTurn, withPlace } from "./process.ts";
import { type Finding, alike } from "./report.ts";
import { silenced, watched } from "./watched.ts";

/** Milliseconds a tap may wait for a timer of the clock before the clock moves on: what is real goes first. */
const clockPatience = 80;

/** Milliseconds a client waits for the server: only what is wrong takes so long. */
const patience = 5000;

const once =
  "Call the callback once, whatever happens: return behind it, and do not call it again from a catch or a timer.";

/** How a ground differs from the usual one. */
export interface GroundOptions {
  /** Names the plugin stands under; its own unless told otherwise. */
  readonly names?: readonly string[];
  readonly listeners?: readonly string[];
  readonly more?: readonly Plugin[];
  readonly resolver?: TestResolver;
}

/** A fault as the log told it. */
interface Fault {
  readonly words: string;
  readonly error: unknown;
  readonly during: string;
  /** How to mend it, where that is known. */
  readonly mend: string;
}

/** One server with the plugin in it, on a clock that stands still but for taps that wait for it. */
export class Ground {
  readonly clock = new TestClock();
  readonly resolver: TestResolver;
  readonly probe = new Probe();
  readonly server: Mailhost;
  /** What the client is doing, for the report. */
  during = "";
  /** Taps are to come too late here. */
  expectsLate = false;
  /** The clock moves on for taps that wait for it. */
  pushes = true;
  readonly #contract: Contract;
  readonly #ground: GroundOptions;
  readonly #faults: Fault[] = [];
  readonly #clients = new Set<Client>();
  readonly #pusher: NodeJS.Timeout;
  #strangers = 0;
  #plugins: readonly string[] = [];
  #companions: readonly Plugin[] = [];

  constructor(contract: Contract, ground: GroundOptions) {
    this.#contract = contract;
    this.#ground = ground;
    this.resolver = ground.resolver ?? contract.options.resolver?.() ?? new TestResolver();
    this.resolver.clock ??= this.clock;
    this.server = new Mailhost({});
    this.#pusher = setInterval(() => this.#push(), 10);
  }

  async prepare(): Promise<void> {
    await this.reload();
    await this.#contract.options.prepare?.(this);
  }

  /** Puts the same configuration in force once more, with plugins made anew. */
  async reload(): Promise<void> {
    await this.server.reload(await this.#compose());
  }

  async #compose(): Promise<MailhostOptions> {
    const { companions = () => [sink()], listener } = this.#contract.options;
    const { names, listeners = ["contract"], more = [] } = this.#ground;
    this.#companions = await companions();
    const plugins = this.#companions.map(silenced);
    const ours: Plugin[] = [];
    for (const name of names ?? [undefined]) {
      const plugin = await this.#contract.plugin();
      const placed = name === undefined ? plugin : { ...plugin, name, placement: { ...plugin.placement, as: name } };
      ours.push(watched(placed, this.probe));
    }
    this.#plugins = ours.map(({ name }) => name);
    return {
      name: "mx.example.com",
      plugins: [...plugins, ...ours, ...more],
      listeners: listeners.map((name) => ({ ...listener, name, port: 0 })),
      clock: this.clock,
      resolver: this.resolver,
      log: this.#log(),
    };
  }

  /** Failures of the plugin's taps there are passed over. */
  ignoresFailures(hook: HookName): boolean {
    const taps = this.server.generations.flatMap((generation) => generation.taps);
    const ours = taps.filter((tap) => this.#plugins.includes(tap.plugin) && tap.hook.split(" ")[0] === hook);
    return ours.some(({ onFailure }) => onFailure === "ignore");
  }

  /** Milliseconds a tap may take here. */
  deadlineOf({ hook, deadline }: WatchedTap): number {
    const { delivery, tap } = this.server.generations[0]?.timeouts ?? defaultTimeouts;
    return deadline ?? (hook === "data" || hook === "queue" ? delivery : tap);
  }

  /** Connects and says nothing. */
  client(options: SpeakerOptions = {}): Client {
    const client = this.#contract.options.client;
    const speaker: Client = new Client(
      this.server,
      { patience, ...(client === undefined ? {} : { client }), ...options },
      async () => {},
    );
    this.#clients.add(speaker);
    return speaker;
  }

  /** Connects, hears the banner, greets. */
  async greeted(options: SpeakerOptions = {}): Promise<Client> {
    const speaker = this.client(options);
    await speaker.reply();
    await this.greet(speaker);
    return speaker;
  }

  /** A client whose messages are staged and never committed. */
  dryRun(): Client {
    const speaker = new Client(this.server, { dryRun: true, patience }, async () => {});
    this.#clients.add(speaker);
    return speaker;
  }

  get from(): string {
    return this.#contract.from;
  }

  async greet(speaker: Client): Promise<void> {
    const { greet = (one: Client) => one.ask("EHLO client.test") } = this.#contract.options;
    await greet(speaker);
  }

  /** A whole session with the accepted message. Gives the reply to it, in one line. */
  async letter(options: SpeakerOptions = {}): Promise<string> {
    const speaker = await this.greeted(options);
    const { from, to } = this.#contract;
    const reply = await speaker.deliver({ from, to });
    if (!speaker.ended) speaker.send("QUIT");
    this.leave(speaker);
    return reply.join(" | ");
  }

  /** A session of somebody who was never here, as far as it gets: another address, name and reverse-path each time. */
  async stranger(): Promise<void> {
    this.#strangers += 1;
    const host = `host-${this.#strangers}.example.com`;
    const address = `2001:db8:${(this.#strangers >> 16).toString(16)}:${(this.#strangers & 0xffff).toString(16)}::1`;
    const speaker = this.client({ client: address });
    try {
      await speaker.reply();
      if (this.#contract.options.greet === undefined) await speaker.ask(`EHLO ${host}`);
      else await this.greet(speaker);
      await speaker.deliver({ from: `sender-${this.#strangers}@${host}`, to: this.#contract.to });
      if (!speaker.ended) speaker.send("QUIT");
    } catch {
      // Strangers may be sent away
    } finally {
      this.leave(speaker);
    }
  }

  /** Sinks keep every message: that is what they are for. */
  emptySinks(): void {
    for (const companion of this.#companions) {
      const { messages } = companion as { readonly messages?: unknown }; // a sink's
      if (companion.definition.name === "sink" && Array.isArray(messages)) messages.length = 0;
    }
  }

  leave(speaker: Client): void {
    speaker.hangUp();
    this.#clients.delete(speaker);
  }

  /** Waits until no tap of the plugin is under way; false when that takes longer. */
  async quiet(milliseconds = 2000): Promise<boolean> {
    const end = Date.now() + milliseconds;
    while (this.probe.pending.size > 0 && Date.now() < end) await new Promise((resolve) => void setTimeout(resolve, 5));
    return this.probe.pending.size === 0;
  }

  /** What core told of the plugin, each thing once, but for what became of taps whose client was gone. */
  faults(): Finding[] {
    const told = this.#faults.filter(
      ({ error }) => typeof error !== "object" || error === null || !this.probe.forgiven.has(error),
    );
    return alike(told, ({ words }) => words).map(({ one: { words, during, mend }, count }) => {
      const more = count === 1 ? "" : `, and ${count - 1} times more`;
      return { what: `${during === "" ? "" : `${during}: `}${words}${more}`, mend };
    });
  }

  /** Ends all clients and the server. */
  async close(): Promise<void> {
    clearInterval(this.#pusher);
    for (const speaker of this.#clients) speaker.hangUp("end of the contract");
    this.#clients.clear();
    // A tap that still waits is not waited for: it was reported
    if (!(await this.quiet(50))) {
      this.expectsLate = true;
      this.clock.advance(600_000);
    }
    await this.#contract.shut(this.server);
    await nextTurn();
  }

  /** Moves the clock on to what a tap waits for. */
  #push(): void {
    if (!this.pushes) return;
    const waiting = [...this.probe.pending].filter((call) => Date.now() - call.began >= clockPatience);
    const next = Math.min(...waiting.flatMap((call) => [...call.timers]));
    if (next < Infinity) this.clock.advance(Math.max(0, next - this.clock.now()));
  }

  /** Errors that core tells of the plugin, or of nobody. */
  #log(): Log {
    // The fields core gives
    type Fields = { readonly plugin?: string; readonly hook?: string; readonly tap?: string; readonly err?: unknown };
    const error = (fields: Fields, message: string): void => {
      const { plugin, hook, tap, err } = fields;
      if (plugin !== undefined && !this.#plugins.includes(plugin)) return;
      // A summary of what was told already
      if (/ is failing: \d+ of \d+ calls/.test(message)) return;
      if (this.expectsLate && /no answer within \d+ ms/.test(message)) return;
      // Two of a kind may both route
      if (this.#plugins.length > 1 && / is routed to .+ and to /.test(message)) return;
      const whose = hook === undefined || tap === undefined ? message : `the tap ${tap} of ${hook} failed`;
      const words = err === undefined ? message : `${whose}: ${withPlace(err)}`;
      this.#faults.push({ words, error: err, during: this.during, mend: "" });
    };
    const warn = ({ plugin, hook, tap }: Fields, message: string): void => {
      if (plugin === undefined || !this.#plugins.includes(plugin) || !/ answered twice in /.test(message)) return;
      const words = `the tap ${tap} of ${hook} answered twice`;
      this.#faults.push({ words, error: undefined, during: this.during, mend: once });
    };
    return { debug() {}, info() {}, warn, error };
  }
}
