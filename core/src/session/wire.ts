import type { Upgrade } from "../protocol/machine.ts";
import type { Session, TlsInfo } from "../protocol/session.ts";

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

/** The server's side of one dialogue, for whoever carries its octets. */
export interface Engine {
  readonly session: Session;
  /** The client is connected. Everything else follows from what it says. */
  start(): void;
  /** Octets from the client, lent for the call: what the engine keeps, it copies. */
  receive(octets: Uint8Array): void;
  /** What was written has left. */
  drained(): void;
  /** TLS is there, from now on the wire carries what is inside. */
  secured(tls: TlsInfo | undefined): void;
  /** The client sends nothing more, though it may still read. */
  ended(): void;
  /** The client is gone, or the connection broke. Harmless at any time. */
  gone(reason: string): void;
  /** The server closes: 421 as soon as no command is under way (RFC 5321 §3.8). */
  drain(): void;
  /** The server does not wait any longer. */
  stop(): void;
}
