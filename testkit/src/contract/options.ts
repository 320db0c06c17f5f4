import type { ListenerOptions, Plugin } from "@mailhost/core";
import type { Client } from "../client.ts";
import type { TestHost } from "../host.ts";
import type { TestResolver } from "../resolver.ts";
import type { CheckName } from "./check.ts";

/** What makes the plugin: its factory, or any function that gives one. */
export type PluginMaker<Options> = (options: Options) => Plugin;

/** The server a plugin is put through the contract in, and what passes there. All of it has a default. */
export interface ContractOptions<Options> {
  /** Options of the plugin, made anew for each server. */
  readonly options?: () => Options | Promise<Options>;
  /** Plugins beside it, made anew for each server. `[sink()]`, which takes everything, unless told otherwise. */
  readonly companions?: () => readonly Plugin[] | Promise<readonly Plugin[]>;
  /** What is different about the listener: its mode, defaults, limits. */
  readonly listener?: Omit<ListenerOptions, "name" | "port" | "host" | "fd" | "plugins">;
  readonly resolver?: () => TestResolver;
  /** Brings a new server to where the accepted message is accepted: a greylist has met it once. */
  readonly prepare?: (server: Pick<TestHost, "client" | "clock" | "resolver">) => Promise<void>;
  /** What a client says behind the banner before it may send: EHLO unless told otherwise; STARTTLS, AUTH. */
  readonly greet?: (speaker: Client) => Promise<unknown>;
  /** Address of the client; 192.0.2.1 unless told otherwise. */
  readonly client?: string;
  /** A reverse-path that is accepted; sender@example.com unless told otherwise. */
  readonly from?: string;
  /** A recipient that is accepted; jane@example.com unless told otherwise. */
  readonly to?: string;
  /** Recipients that this plugin refuses, to be mixed among the accepted ones. */
  readonly refused?: readonly string[];
  /** The plugin's package.json: its ranges and keywords are compared with the manifest. */
  readonly packageJson?: string | URL;
  /** Only these checks, while one is at work on something. */
  readonly only?: readonly CheckName[];
  /** Checks to leave out, each with the reason. */
  readonly skip?: Partial<Readonly<Record<CheckName, string>>>;
  /** Milliseconds a check may take, `memory` three times as many; 20000 unless told otherwise. */
  readonly within?: number;
}
