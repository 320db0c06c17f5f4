import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../client.ts";
import { Contract } from "../contract/about.ts";
import type { Ground, GroundOptions } from "../contract/ground.ts";
import type { PluginMaker } from "../contract/options.ts";
import type { Finding } from "../contract/report.ts";
import { latin1 } from "../latin1.ts";
import type { TransportContractOptions } from "./options.ts";

/** A message with a mark of its own. */
export interface Marked {
  readonly mark: string;
  /** What is below its header and must be found whole, one character per octet. */
  readonly body: string;
  readonly text: Uint8Array;
}

let marks = 0;

/** A message nobody else has sent. */
export function marked(body = "Hello\r\n"): Marked {
  marks += 1;
  const mark = `mark-${marks}-of-the-contract`;
  const whole = `\r\n${mark}\r\n${body}`;
  return { mark, body: whole, text: Buffer.from(`Subject: marked\r\n${whole}`, "latin1") };
}

/** One folder, one transport in it, and what a reader sees there. */
export class Station {
  readonly folder: string;
  readonly options: TransportContractOptions<unknown>;
  readonly #contract: Contract;

  private constructor(folder: string, make: PluginMaker<unknown>, options: TransportContractOptions<unknown>) {
    this.folder = folder;
    this.options = options;
    this.#contract = new Contract<unknown>(make, {
      ...options,
      only: [],
      skip: {},
      options: () => options.options?.(folder) ?? {},
      companions: () => options.companions?.(folder) ?? [],
    });
  }

  static async open(make: PluginMaker<unknown>, options: TransportContractOptions<unknown>): Promise<Station> {
    return new Station(await mkdtemp(join(tmpdir(), "mailhost-transport-")), make, options);
  }

  /** What the plugin calls itself. */
  async name(): Promise<string> {
    return (await this.#contract.plugin()).definition.name;
  }

  /** A server on the folder. A second one is the first after a restart. */
  ground(options?: GroundOptions): Promise<Ground> {
    return this.#contract.ground(options);
  }

  get recipients(): readonly string[] {
    return this.options.recipients ?? [this.#contract.to];
  }

  /** A client that may send. */
  speaker(ground: Ground): Promise<Client> {
    return ground.greeted({ patience: 5000 });
  }

  /** Hands a message in, in a session of its own. Gives the reply in one line. */
  async send(ground: Ground, { text }: Marked): Promise<string> {
    const speaker = await this.speaker(ground);
    const reply = await speaker.deliver({ from: this.#contract.from, to: this.recipients, text });
    ground.leave(speaker);
    return reply.join(" | ");
  }

  /** Copies of a message a reader finds: how many, and how many of them are not whole. */
  async found({ mark, body }: Marked): Promise<{ readonly copies: number; readonly torn: number }> {
    const visible = await this.options.visible(this.folder);
    const texts = visible.map((one) => (typeof one === "string" ? one : latin1(one)));
    const copies = texts.filter((text) => text.includes(mark));
    // Mailboxes end lines as their readers like
    const whole = body.replaceAll("\r\n", "\n");
    const torn = copies.filter((text) => !text.replaceAll("\r\n", "\n").endsWith(whole));
    return { copies: copies.length, torn: torn.length };
  }

  /** Every file below the folder. */
  async files(): Promise<string[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted();
  }

  /** Closes the servers and removes the folder. Gives what core told of the plugin. */
  async close(): Promise<Finding[]> {
    const faults = await this.#contract.clear();
    await rm(this.folder, { recursive: true, force: true });
    return faults;
  }
}
