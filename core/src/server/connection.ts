import type { Socket } from "node:net";
import type { LiveGeneration } from "../host/generation.ts";
import { describe } from "../host/guard.ts";
import type { Enrolled } from "../host/roll.ts";
import { giveBack } from "../message/give-back.ts";
import type { SpoolPlace } from "../message/spool.ts";
import type { Upgrade } from "../protocol/machine.ts";
import type { Client } from "../protocol/session.ts";
import type { Peer } from "../session/connection.ts";
import { type Keeper, SessionEngine } from "../session/engine.ts";
import type { Wire } from "../session/wire.ts";
import { type SocketOwner, attach, detach, own } from "./owned-socket.ts";
import { secure } from "./upgrade.ts";

/** Milliseconds a client gets to read the last reply before the socket is destroyed. */
const lingerMilliseconds = 2000;
/** Octets that are still taken from it meanwhile: what was on its way, not a flood. */
const lingerOctets = 1024 * 1024;

/** Who counts the connections. */
export interface Home {
  /** The socket is no more: another client may have its place. */
  closed(connection: Connection): void;
  /** Nor is the dialogue. */
  over(connection: Connection): void;
}

/** One TCP stream with the engine that speaks on it. */
export class Connection implements Wire, SocketOwner, Keeper, Enrolled {
  readonly engine: SessionEngine;
  /** The client's, whoever an intermediary says it is. */
  readonly address: string;
  /** In the listener's roll. */
  place = -1;
  readonly #raw: Socket;
  readonly #generation: LiveGeneration;
  readonly #home: Home;
  #socket: Socket;
  /** The socket and the dialogue: a message may outlive its connection. */
  #open = 2;
  #ended = false;
  /** Octets that are still taken once it ended. */
  #left = lingerOctets;
  /** The kernel took less than was written. */
  #unsent = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(socket: Socket, generation: LiveGeneration, spool: SpoolPlace, peer: Peer, home: Home) {
    this.#raw = socket;
    this.#socket = socket;
    this.#generation = generation;
    this.#home = home;
    this.address = peer.client.address;
    this.engine = new SessionEngine({ generation, wire: this, peer, spool, keeper: this });
    // From the first tick on every socket has its error handler
    own(socket, this);
    if (generation.vocabulary.preamble?.kind !== "upgrade") attach(socket, this);
    this.engine.start();
  }

  closed(): void {
    clearTimeout(this.#linger);
    this.#home.closed(this);
    this.over();
    this.engine.gone("disconnected");
  }

  failed(error: Error): void {
    this.engine.gone(error.message);
  }

  /** One of both is over. */
  over(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#generation.leave();
    this.#home.over(this);
  }

  received(octets: Buffer): void {
    if (this.#ended) this.#swallow(octets.length);
    else this.engine.receive(octets);
    if (octets.length === octets.buffer.byteLength) giveBack(octets.buffer);
  }

  ended(): void {
    if (this.#ended) this.#socket.destroy();
    else this.engine.ended();
  }

  write(octets: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed) return true;
    // What the kernel took at once needs no callback: each would cost a tick
    if (socket.write(octets)) return true;
    if (!this.#unsent) socket.once("drain", () => this.#sent(socket));
    this.#unsent = true;
    return false;
  }

  #sent(socket: Socket): void {
    if (socket !== this.#socket) return; // TLS begun meanwhile
    this.#unsent = false;
    this.engine.drained();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const socket = this.#socket;
    // Octets that nobody read would turn the close into a reset, and the last reply would be lost
    if (socket.listenerCount("data") === 0) attach(socket, this);
    socket.resume();
    socket.end();
    // Cleared on close: else it would hold a whole session for nothing
    this.#linger = setTimeout(() => this.destroy(), lingerMilliseconds).unref();
  }

  #swallow(octets: number): void {
    this.#left -= octets;
    if (this.#left < 0) this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#raw.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  upgrade(upgrade: Upgrade): void {
    const raw = this.#raw;
    if (this.#socket !== raw) return this.#notSecured(new Error("TLS is already there"));
    detach(raw);
    raw.pause();
    secure(raw, upgrade, this.#generation.timeouts.handshake, (result) => {
      if ("error" in result) return this.#notSecured(result.error);
      this.#socket = result.socket;
      this.#unsent = false;
      // The end of TLS is the end of the connection: there is no way back to clear text
      result.socket.on("close", () => this.engine.gone("disconnected"));
      attach(result.socket, this);
      this.engine.secured(result.info);
    });
  }

  #notSecured(error: unknown): void {
    // Scanners do this all day: one line with the address, no stack
    const { id, client } = this.engine.session;
    const fields = { session: id, client: client.address };
    this.#generation.services.log.info(fields, `TLS with ${client.address} failed: ${describe(error)}`);
    this.engine.gone("TLS failed");
    this.destroy();
  }
}

/** IPv4 clients of a dual-stack listener are IPv4 clients. */
const plain = (address: string | undefined): string =>
  address?.startsWith(":") === true ? address.replace(/^::ffff:(?=\d+\.)/i, "") : (address ?? "0.0.0.0");

export const clientAddress = (socket: Socket): string => plain(socket.remoteAddress);

/** `local`: what is known of it without asking the system. */
export const peerOf = (socket: Socket, client: string, local: Client | undefined): Peer => ({
  client: { address: client, port: socket.remotePort ?? 0 },
  local: local ?? { address: plain(socket.localAddress), port: socket.localPort ?? 0 },
});
