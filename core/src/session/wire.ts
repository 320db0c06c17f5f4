import type { Upgrade } from "../protocol/machine.ts";

/** Octets in, octets out, and what else the engine may do to a connection. No sockets here: the server has one, the test kit another. */
export interface Wire {
  /** False when the client does not read: the engine then waits for `drained`. */
  write(octets: Uint8Array): boolean;
  /** Closes once everything written has left. Nothing is read any more. */
  end(): void;
  /** Stop handing over input. */
  pause(): void;
  resume(): void;
  /** Changes the layer below, then calls the engine's `secured`, or its `gone` when that fails. */
  upgrade(upgrade: Upgrade): void;
}
