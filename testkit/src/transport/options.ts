import type { Plugin } from "@mailhost/core";
import type { ContractOptions } from "../contract/options.ts";

/** What a transport is put through. */
export type TransportCheckName =
  | "accepted message"
  | "content"
  | "before the commit"
  | "abort"
  | "dry run"
  | "too late"
  | "several at once"
  | "full disk"
  | "failing disk"
  | "crash";

/** The server a transport is put through its contract in, and how to see what it delivered. */
export interface TransportContractOptions<Options> extends Pick<
  ContractOptions<Options>,
  "listener" | "greet" | "client" | "from" | "to" | "within"
> {
  /** Options of the plugin. The folder is empty, there for it alone, and removed afterwards. */
  readonly options?: (folder: string) => Options | Promise<Options>;
  /** Who permits and routes to it, unless it does so itself. */
  readonly companions?: (folder: string) => readonly Plugin[] | Promise<readonly Plugin[]>;
  /** Every message a reader would find now, whole: octets, or text with one character per octet. */
  readonly visible: (folder: string) => Visible | Promise<Visible>;
  /** Recipients whose copies are made together; `to` unless told otherwise. */
  readonly recipients?: readonly string[];
  /** Makes its disk full, or its server say no, and gives what mends it. Its calls of node:fs fail with ENOSPC unless told otherwise. */
  readonly full?: (folder: string) => (() => unknown) | Promise<() => unknown>;
  /** Program that calls `crashing()`: it is killed amid deliveries. Without, nothing is killed. */
  readonly crash?: { readonly program: string | URL; readonly execArgv?: readonly string[] };
  /** Only these checks, while one is at work on something. */
  readonly only?: readonly TransportCheckName[];
  /** Checks to leave out, each with the reason. */
  readonly skip?: Partial<Readonly<Record<TransportCheckName, string>>>;
}

export type Visible = readonly (string | Uint8Array)[];
