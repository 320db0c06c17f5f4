import type { Generation } from "../host/generation.ts";
import type { FailingPlugin } from "../host/health.ts";
import { defaultLimits, defaultTimeouts } from "../host/limits.ts";
import { systemClock } from "../host/services.ts";
import { SharedValues } from "../host/shared.ts";
import { MemoryBudget } from "../message/budget.ts";
import { SpoolFiles } from "../message/spool-files.ts";
import type { SpoolPlace } from "../message/spool.ts";
import type { Peer } from "../session/connection.ts";
import { SessionEngine } from "../session/engine.ts";
import type { Engine, Wire } from "../session/wire.ts";
import { type Built, build, servicesOf } from "./build.ts";
import { Changes } from "./changes.ts";
import { Listeners, type ListeningAddress } from "./listeners.ts";
import { Retirement } from "./retirement.ts";
import { type MailhostOptions, spoolFolder } from "./settings.ts";

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

/** A mail server composed from plugins. */
export class Mailhost {
  readonly #shared = new SharedValues();
  readonly #changes = new Changes();
  readonly #retirement = new Retirement();
  readonly #listeners = new Listeners(this.#retirement);
  #options: MailhostOptions;
  #spool: SpoolPlace;
  #force: readonly Built[] = [];
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
    return this.#listeners.addresses;
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
      await this.#changes.make(() => this.#listeners.open(this.#force, this.#spool));
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
    try {
      if (this.#listeners.listening) await this.#listeners.open(next, spool);
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

  /** What was set up while the server closed is closed as well. */
  async #buildWhileOpen(options: MailhostOptions): Promise<Built[]> {
    const built = await build(options, this.#shared);
    try {
      this.#changes.mustGoOn();
    } catch (error) {
      await this.#retire(built);
      throw error;
    }
    return built;
  }

  #retire(built: readonly Built[]): Promise<void> {
    return this.#retirement.retire(built.map(({ generation }) => generation));
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

  /**
   * Another process listens in this one's place: no new connections, open sessions go on until their clients are done,
   * at most `timeouts.session`, then all is closed. `left` hears when no more can come; `close` ends the wait.
   */
  async handOver(left: () => void = () => {}): Promise<void> {
    await this.#changes.make(async () => this.#listeners.leave());
    left();
    await this.#retirement.over();
    await this.close();
  }

  /** Stops listening, lets sessions finish within `timeouts.drain`, answers 421, closes what plugins opened. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    // Whoever is here is told at once, though a reload takes its time
    const told = this.#listeners.close();
    const patience = this.generations.map(({ timeouts }) => timeouts.drain);
    // What is under way gets as long as sessions do: a plugin that is set up without end holds nobody longer
    if (!(await this.#changes.end(Math.max(...patience, patience.length === 0 ? defaultTimeouts.drain : 0))))
      servicesOf(this.#options).log.error({}, "gave up waiting for plugins that are not set up");
    await Promise.all([told, this.#listeners.close()]);
    void this.#retire(this.#force);
    await this.#retirement.overSoon();
    await this.#spool.files.close();
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
