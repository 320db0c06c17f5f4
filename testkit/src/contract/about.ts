import type { Mailhost, Plugin } from "@mailhost/core";
import { Ground, type GroundOptions } from "./ground.ts";
import type { ContractOptions, PluginMaker } from "./options.ts";
import { within } from "./process.ts";
import type { Finding } from "./report.ts";

/** What one contract is about, and the grounds it was tried on. */
export class Contract<Options = unknown> {
  readonly options: ContractOptions<Options>;
  readonly #make: PluginMaker<Options>;
  readonly #grounds = new Set<Ground>();
  /** Milliseconds a server may take to close. */
  #patience = 1500;

  constructor(make: PluginMaker<Options>, options: ContractOptions<Options>) {
    this.#make = make;
    this.options = options;
  }

  get from(): string {
    return this.options.from ?? "sender@example.com";
  }

  get to(): string {
    return this.options.to ?? "jane@example.com";
  }

  /** The plugin as it would be configured. */
  async plugin(extra: object = {}): Promise<Plugin> {
    const options = (await this.options.options?.()) ?? {};
    return this.#make({ ...options, ...extra } as Options); // an unknown option more, where that is tried
  }

  /** A server of its own that the accepted message is accepted by. Rejects with its ConfigurationError. */
  async ground(options: GroundOptions = {}): Promise<Ground> {
    const ground = new Ground(this as Contract, options); // the ground never makes options
    this.#grounds.add(ground);
    await ground.prepare();
    return ground;
  }

  /** Closes a server. What does not close is told by the check that looks at it; nobody waits for it twice. */
  async shut(server: Mailhost): Promise<void> {
    this.#patience = (await within(this.#patience, server.close())) ? 1500 : 20;
  }

  /** Closes all grounds. Gives what core had to say of the plugin. */
  async clear(): Promise<Finding[]> {
    const grounds = [...this.#grounds];
    this.#grounds.clear();
    await Promise.all(grounds.map((ground) => ground.close()));
    return grounds.flatMap((ground) => ground.faults());
  }
}
