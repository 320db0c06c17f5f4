import { buildGeneration } from "../host/build.ts";
import type { Generation, LiveGeneration, Services } from "../host/generation.ts";
import type { FailingPlugin } from "../host/health.ts";
import { ConfigurationError, type Problem } from "../host/problems.ts";
import { consoleLog, steadyLog, systemClock, systemResolver } from "../host/services.ts";
import { SharedValues } from "../host/shared.ts";
import { defaultLimits, defaultTimeouts } from "../host/limits.ts";
import { MemoryBudget } from "../message/budget.ts";
import { SpoolFiles } from "../message/spool-files.ts";
import type { SpoolPlace } from "../message/spool.ts";
import type { Peer } from "../session/connection.ts";
import { SessionEngine } from "../session/engine.ts";
import type { Engine, Wire } from "../session/wire.ts";
import { Changes } from "./changes.ts";
import { listenProblem } from "./listen-problem.ts";
import { ConnectionCount, Listener } from "./listener.ts";
import { type MailhostOptions, type Plan, plan, spoolFolder } from "./settings.ts";

/** Where the server can be reached. */
export interface ListeningAddress {
  readonly listener: string;
  readonly address: string;
  readonly port: number;
}

/** Who a dialogue without a socket is with, and what it may do. */
export interface DialogueOptions {
  /** Name of the listener; the first unless told otherwise. */
  readonly listener?: string;
  readonly peer?: Peer;
  /** Stage and abort instead of delivering. */
  readonly dryRun?: boolean;
  readonly over?: () => void;
}

const noPeer: Peer = { client: { address: "127.0.0.1", port: 0 }, local: { address: "127.0.0.1", port: 0 } };

interface Force {
  readonly plan: Plan;
  readonly generation: LiveGeneration;
}

/** A mail server composed from plugins. */
export class Mailhost {
  readonly #shared = new SharedValues();
  readonly #count = new ConnectionCount();
  #listeners: ReadonlyMap<string, Listener> = new Map();
  /** Listeners that a reload left without a place: their sessions finish. */
  readonly #left = new Set<Listener>();
  readonly #retiring = new Set<Promise<void>>();
  /** Listeners that were told to close. */
  readonly #closing = new Set<Listener>();
  /** Generations that wait for their last sessions. */
  readonly #leaving = new Set<LiveGeneration>();
  #spool: SpoolPlace;
  #options: MailhostOptions;
  #force: readonly Force[] = [];
  readonly #changes = new Changes();
  #closed: Promise<void> | undefined;

  constructor(options: MailhostOptions) {
    this.#options = options;
    this.#spool = spoolPlace(options);
  }

  /** One per listener, in order: hooks, plugins and options in force. Empty before `prepare` or `listen`. */
  get generations(): readonly Generation[] {
    return this.#force.map(({ generation }) => generation);
  }

  /** Plugins in force that keep failing: many failures within a minute, and no minute without one since. */
  get failing(): readonly FailingPlugin[] {
    return this.#force.flatMap(({ generation: { health, services } }) =>
      [...health.values()].flatMap((one) => one.failing(services.clock.now()) ?? []),
    );
  }

  get addresses(): readonly ListeningAddress[] {
    return [...this.#listeners].flatMap(([listener, { address }]) =>
      address === undefined ? [] : [{ listener, address: address.address, port: address.port }],
    );
  }

  /** Checks everything and sets plugins up without listening. Rejects with a ConfigurationError that holds every problem. */
  async prepare(): Promise<this> {
    await this.#changes.make(() => this.#prepare());
    return this;
  }

  async #prepare(): Promise<void> {
    if (this.#force.length === 0) this.#force = await this.#buildWhileOpen(this.#options);
  }

  /**
   * Listens: on `port` and `host` where given (the program's short way), else on the configured listeners.
   * Rejects with a ConfigurationError when the configuration or a port is not to be had; then nothing listens.
   */
  async listen(port?: number, host?: string): Promise<this> {
    if (port !== undefined) {
      this.#options = {
        ...this.#options,
        listeners: [{ ...this.#options.listeners?.[0], port, ...(host === undefined ? {} : { host }) }],
      };
      // What was prepared may be for another place
      if (this.#force.length > 0) await this.reload(this.#options);
    }
    await this.prepare();
    try {
      await this.#changes.make(() => this.#open(this.#force, this.#spool));
    } catch (error) {
      await this.close();
      throw error;
    }
    return this;
  }

  /**
   * Puts new options in force for new connections; open ones finish on the old. On any error the old ones stay
   * in force and the promise rejects with what is wrong.
   */
  reload(options: MailhostOptions): Promise<void> {
    return this.#changes.make(() => this.#putInForce(options));
  }

  async #putInForce(options: MailhostOptions): Promise<void> {
    const before = this.#force;
    const next = await this.#buildWhileOpen(options);
    const spool = spoolPlace(options, this.#spool);
    const listening = this.#listeners.size > 0;
    try {
      if (listening) await this.#open(next, spool);
    } catch (error) {
      await this.#retire(next);
      throw error;
    }
    this.#options = options;
    this.#force = next;
    if (spool.files !== this.#spool.files) void this.#spool.files.close();
    this.#spool = spool;
    void this.#retire(before);
  }

  /** Starts a dialogue on any wire: the test kit, `mailhost try`, a replayer. Needs `prepare`. */
  dialogue(wire: Wire, options: DialogueOptions = {}): Engine {
    const force = this.#force.find(
      ({ plan: { blueprint } }) => options.listener === undefined || blueprint.listener.name === options.listener,
    );
    if (force === undefined)
      throw new Error(
        options.listener === undefined ? "call prepare first" : `there is no listener ${options.listener}`,
      );
    const { generation } = force;
    generation.enter();
    const keeper = {
      over(): void {
        generation.leave();
        options.over?.();
      },
    };
    const engine = new SessionEngine({
      generation,
      wire,
      peer: options.peer ?? noPeer,
      spool: this.#spool,
      dryRun: options.dryRun === true,
      keeper,
    });
    return engine;
  }

  /** Stops listening, lets sessions finish within `timeouts.drain`, answers 421, closes what plugins opened. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  /**
   * Another process listens in this one's place: no new connections, open sessions go on until their clients are done,
   * at most `timeouts.session`, then all is closed. `left` hears when no more can come; `close` ends the wait.
   */
  async handOver(left: () => void = () => {}): Promise<void> {
    await this.#changes.make(async () => this.#listenOn(new Map()));
    left();
    await Promise.all(this.#retiring);
    await this.close();
  }

  async #closeAll(): Promise<void> {
    // Whoever is here is told at once, though a reload takes its time
    const told = this.#closeListeners();
    const patience = this.generations.map(({ timeouts }) => timeouts.drain);
    // What is under way gets as long as sessions do: a plugin that is set up without end holds nobody longer
    if (!(await this.#changes.end(Math.max(...patience, patience.length === 0 ? defaultTimeouts.drain : 0))))
      servicesOf(this.#options).log.error({}, "gave up waiting for plugins that are not set up");
    await Promise.all([told, this.#closeListeners()]);
    void this.#retire(this.#force);
    // Every socket is closed: what still counts as a session is a delivery that never settles
    const giveUp = setTimeout(() => this.#leaving.forEach((generation) => generation.giveUp()), 1000);
    await Promise.all(this.#retiring);
    clearTimeout(giveUp);
    await this.#spool.files.close();
    this.#listeners = new Map();
  }

  /** Those there are now, each once. */
  async #closeListeners(): Promise<void> {
    const open = [...this.#listeners.values(), ...this.#left].filter((one) => !this.#closing.has(one));
    for (const one of open) this.#closing.add(one);
    await Promise.all(open.map((one) => one.close(one.generation.timeouts.drain)));
  }

  /** What was set up while the server closed is closed as well. */
  async #buildWhileOpen(options: MailhostOptions): Promise<Force[]> {
    const force = await this.#build(options);
    try {
      this.#changes.mustGoOn();
    } catch (error) {
      await this.#retire(force);
      throw error;
    }
    return force;
  }

  async #build(options: MailhostOptions): Promise<Force[]> {
    const services = servicesOf(options);
    const force: Force[] = [];
    const { plans, problems } = plan(options);
    for (const one of plans) {
      try {
        force.push({ plan: one, generation: await buildGeneration(one.blueprint, services, this.#shared) });
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        problems.push(...error.problems);
      }
    }
    if (problems.length === 0) return force;
    await Promise.all(force.map(({ generation }) => generation.retire()));
    throw new ConfigurationError(withoutRepeats(problems));
  }

  /**
   * Sockets that stay get the new generation, whatever their listener is called now; new ones are opened first,
   * so an error leaves all as it was; the rest are left.
   */
  async #open(force: readonly Force[], spool: SpoolPlace): Promise<void> {
    const next = new Map<string, Listener>();
    const opened: Listener[] = [];
    for (const {
      plan: { place, blueprint },
      generation,
    } of force) {
      const { name } = blueprint.listener;
      const staying = this.#staying(name, place, next);
      const listener = staying ?? new Listener(generation, place, spool, this.#count);
      next.set(name, listener);
      if (staying !== undefined) continue;
      try {
        await listener.listen();
      } catch (error) {
        await Promise.all(opened.map((one) => one.close(0)));
        const ours = [...this.#listeners.values()].some((one) => one.place.port === place.port);
        throw new ConfigurationError([listenProblem(error, place, blueprint.where, ours)]);
      }
      opened.push(listener);
    }
    for (const {
      plan: { blueprint },
      generation,
    } of force) {
      const listener = next.get(blueprint.listener.name);
      if (listener === undefined) continue;
      listener.generation = generation;
      listener.spool = spool;
    }
    this.#listenOn(next);
  }

  /** What listened so far and does not any more is left. */
  #listenOn(next: ReadonlyMap<string, Listener>): void {
    const before = this.#listeners;
    this.#listeners = next;
    const stayed = new Set(next.values());
    for (const listener of before.values())
      if (!stayed.has(listener) && !this.#closing.has(listener)) this.#leave(listener);
  }

  /** What listens at that place already, and is taken by no other name. Port 0 is a place only together with its name. */
  #staying(
    name: string,
    { host, port, fd }: Plan["place"],
    taken: ReadonlyMap<string, Listener>,
  ): Listener | undefined {
    const others = new Set(taken.values());
    for (const [its, listener] of this.#listeners) {
      const { place } = listener;
      const same = place.host === host && place.port === port && place.fd === fd;
      const nameless = port !== 0 || fd !== undefined;
      if (same && (nameless || its === name) && !others.has(listener)) return listener;
    }
    return undefined;
  }

  #leave(listener: Listener): void {
    this.#left.add(listener);
    this.#retireLater(listener.leave().finally(() => this.#left.delete(listener)));
  }

  #retire(force: readonly Force[]): Promise<void> {
    for (const { generation } of force) this.#leaving.add(generation);
    const leave = async ({ generation }: Force): Promise<void> => {
      await generation.retire();
      this.#leaving.delete(generation);
    };
    const retired = Promise.all(force.map(leave)).then(() => {});
    this.#retireLater(retired);
    return retired;
  }

  #retireLater(work: Promise<void>): void {
    this.#retiring.add(work);
    void work.finally(() => this.#retiring.delete(work));
  }
}

/** A server from its options. Nothing happens before `listen` or `prepare`. */
export const mailhost = (options: MailhostOptions): Mailhost => new Mailhost(options);

/** Sessions that go on share the memory of one budget, and the files of one folder, with those to come, unless it changed. */
function spoolPlace(options: MailhostOptions, before?: SpoolPlace): SpoolPlace {
  const { messageMemoryOctets, memoryOctets } = { ...defaultLimits, ...options.limits };
  const budget = before?.budget.most === memoryOctets ? before.budget : new MemoryBudget(memoryOctets);
  const folder = spoolFolder(options);
  const files = before?.files.folder === folder ? before.files : new SpoolFiles(folder, options.clock ?? systemClock);
  return { memoryOctets: messageMemoryOctets, budget, files };
}

const servicesOf = (options: MailhostOptions): Services => ({
  log: steadyLog(options.log ?? consoleLog),
  clock: options.clock ?? systemClock,
  resolver: options.resolver ?? systemResolver(),
});

/** A plugin that stands on several listeners is wrong once. */
const withoutRepeats = (problems: readonly Problem[]): Problem[] => {
  const seen = new Map(problems.map((problem) => [`${problem.code} ${problem.where} ${problem.what}`, problem]));
  return [...seen.values()];
};
