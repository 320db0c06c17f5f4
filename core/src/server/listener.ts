import { type AddressInfo, type Server, type Socket, createServer, isIP } from "node:net";
import type { LiveGeneration } from "../host/generation.ts";
import { Roll } from "../host/roll.ts";
import type { SpoolPlace } from "../message/spool.ts";
import { replies } from "../protocol/replies.ts";
import type { Client } from "../protocol/session.ts";
import { type Reply, encodeReply } from "../protocol/reply.ts";
import { Connection, type Home, clientAddress, peerOf } from "./connection.ts";
import type { Place } from "./settings.ts";

/** Milliseconds between 421 and the end of the socket, and from there to the end of all waiting. */
const lastWordMilliseconds = 500;

/** Connections of one server by client address, all listeners together. */
export class ConnectionCount {
  #all = 0;
  readonly #byClient = new Map<string, number>();

  /** Takes a place, or gives the reply that says there is none. */
  enter(
    address: string,
    { connections, connectionsPerClient }: { connections: number; connectionsPerClient: number },
  ): Reply | undefined {
    const its = this.#byClient.get(address) ?? 0;
    if (this.#all >= connections) return replies.tooManyConnections;
    if (its >= connectionsPerClient) return replies.tooManyFromYou;
    this.#all += 1;
    this.#byClient.set(address, its + 1);
    return undefined;
  }

  leave(address: string): void {
    this.#all -= 1;
    const its = (this.#byClient.get(address) ?? 1) - 1;
    if (its === 0) this.#byClient.delete(address);
    else this.#byClient.set(address, its);
  }
}

/** One listening socket, and the generation that new connections get. */
export class Listener implements Home {
  generation: LiveGeneration;
  /** Where bodies of new connections are kept. */
  spool: SpoolPlace;
  readonly place: Place;
  readonly #server: Server;
  readonly #count: ConnectionCount;
  readonly #connections = new Roll<Connection>();
  #local: Client | undefined;
  #refused = 0;
  #toldAt = -Infinity;
  #emptied: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #stopping: NodeJS.Timeout | undefined;

  constructor(generation: LiveGeneration, place: Place, spool: SpoolPlace, count: ConnectionCount) {
    this.generation = generation;
    this.place = place;
    this.spool = spool;
    this.#count = count;
    this.#server = createServer(
      // A socket that is paused is read once more at most (P10)
      { allowHalfOpen: true, pauseOnConnect: false, highWaterMark: 1, noDelay: true },
      (socket) => this.#accept(socket),
    );
  }

  /** Rejects with the error of `net`. */
  listen(): Promise<void> {
    const { fd, host, port } = this.place;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(fd === undefined ? { host, port } : { fd }, () => {
        this.#server.off("error", reject);
        this.#local = this.#boundTo();
        this.#server.on("error", (error) =>
          this.generation.services.log.error({ err: error }, `listener failed: ${error.message}`),
        );
        resolve();
      });
    });
  }

  /** Where every connection arrives, unless the listener takes any address of the machine. */
  #boundTo(): Client | undefined {
    const { address = "", port = 0 } = this.address ?? {};
    return isIP(address) === 0 || address === "0.0.0.0" || address.startsWith("::") ? undefined : { address, port };
  }

  /** Undefined while nothing listens. */
  get address(): AddressInfo | undefined {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address : undefined;
  }

  #accept(socket: Socket): void {
    const { generation } = this;
    const address = clientAddress(socket);
    const refusal = this.#count.enter(address, generation.limits);
    if (refusal !== undefined) {
      this.#tellRefused(address);
      socket.on("error", () => {});
      // Whoever waits for a TLS handshake cannot read a reply in clear
      if (generation.listener.implicitTls) socket.destroy();
      else socket.end(encodeReply(refusal), () => socket.destroy());
      return;
    }
    generation.enter();
    const peer = peerOf(socket, address, this.#local);
    this.#connections.add(new Connection(socket, generation, this.spool, peer, this));
  }

  closed({ address }: Connection): void {
    this.#count.leave(address);
  }

  over(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#emptied?.();
  }

  /** A flood is told once a minute, with how many there were. */
  #tellRefused(client: string): void {
    const { log, clock } = this.generation.services;
    this.#refused += 1;
    if (clock.now() < this.#toldAt + 60_000) return;
    const fields = { listener: this.generation.listener.name, client, refused: this.#refused };
    log.warn(fields, `too many connections: ${this.#refused} refused, the last from ${client}`);
    this.#toldAt = clock.now();
    this.#refused = 0;
  }

  /**
   * No new connections from now on, and 421 for who is idle; resolves when the last one is over. Sessions get
   * `milliseconds` to finish, counted from the last time this or `leave` was called.
   */
  close(milliseconds: number): Promise<void> {
    for (const { engine } of this.#connections) engine.drain();
    return this.#shut(milliseconds);
  }

  /** As `close`, but nobody is told to go: open sessions end when their clients have done what they came for. */
  leave(): Promise<void> {
    return this.#shut(this.generation.timeouts.session);
  }

  async #shut(milliseconds: number): Promise<void> {
    if (this.#server.listening) this.#server.close();
    if (this.#connections.size === 0) return;
    this.#closing ??= new Promise<void>((resolve) => (this.#emptied = resolve));
    clearTimeout(this.#stopping);
    this.#stopping = setTimeout(() => this.#stop(), milliseconds);
    await this.#closing;
    clearTimeout(this.#stopping);
  }

  /** The time to finish is over: 421, then the sockets, then nobody waits for a delivery that never settles. */
  #stop(): void {
    for (const { engine } of this.#connections) engine.stop();
    this.#stopping = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
      this.#stopping = setTimeout(() => {
        const { log } = this.generation.services;
        log.error({ connections: this.#connections.size }, "gave up waiting for deliveries that do not end");
        this.#emptied?.();
      }, lastWordMilliseconds);
    }, lastWordMilliseconds);
  }
}
