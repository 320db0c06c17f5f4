import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import type { Clock, Engine, Peer, Upgrade, Wire } from "@mailhost/core";
import type { Effect } from "./faults.ts";

/** Milliseconds a client gets to close its side. */
const lingerMilliseconds = 2000;

/** What a wire needs to know of its inbox. */
export interface WireOptions {
  readonly clock: Clock;
  readonly secureContext: SecureContext | undefined;
  /** Asked before each handshake. */
  readonly handshakeFault: () => Effect | undefined;
}

/** A socket the engine speaks on, which can also do what no server does: hold its tongue, and hang up without a word. */
export class SocketWire implements Wire {
  readonly closed: Promise<void>;
  readonly #raw: Socket;
  readonly #options: WireOptions;
  #socket: Socket;
  #engine: Engine | undefined;
  #ended = false;
  #securing = false;
  /** What waits for the end of a delay. */
  #held: (() => void)[] | undefined;
  #cancelHold: (() => void) | undefined;

  constructor(socket: Socket, options: WireOptions) {
    this.#raw = socket;
    this.#socket = socket;
    this.#options = options;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.setNoDelay(true);
    // A test that forgets its inbox ends all the same
    socket.unref();
    socket.on("error", (error) => this.#engine?.gone(error.message));
    socket.on("close", () => {
      this.#cancelHold?.();
      this.#engine?.gone("disconnected");
    });
  }

  /** Begins the dialogue. `implicit`: what comes first is a handshake. */
  start(engine: Engine, implicit: boolean): void {
    this.#engine = engine;
    if (!implicit) this.#attach(this.#raw);
    engine.start();
  }

  write(octets: Uint8Array): boolean {
    if (this.#held === undefined) return this.#socket.destroyed || this.#socket.write(octets);
    this.#held.push(() => this.write(octets));
    return false;
  }

  end(): void {
    if (this.#held !== undefined) return void this.#held.push(() => this.end());
    if (this.#ended) return;
    this.#ended = true;
    const socket = this.#socket;
    // Octets that nobody read would turn the close into a reset, and the last reply would be lost
    socket.off("data", this.#onData);
    socket.resume();
    socket.end();
    this.#options.clock.after(lingerMilliseconds, () => this.drop());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** To TLS: an inbox has no other upgrade. */
  upgrade(_upgrade: Upgrade): void {
    this.#securing = true;
    this.#detach(this.#raw);
    this.#raw.pause();
    this.#whenFree(() => {
      const fault = this.#options.handshakeFault();
      if (fault !== undefined && fault.delay > 0) this.hold(fault.delay);
      this.#whenFree(() => (fault?.drop === true ? this.drop() : this.#secure()));
    });
  }

  /** Nothing leaves for so long. The engine waits too. */
  hold(milliseconds: number): void {
    if (this.#held !== undefined) return void this.#held.push(() => this.hold(milliseconds));
    this.#held = [];
    this.#cancelHold = this.#options.clock.after(milliseconds, () => {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const act of held) act();
      this.#engine?.drained();
    });
  }

  /** Closes at once, without a word. */
  drop(): void {
    this.#cancelHold?.();
    this.#socket.destroy();
    this.#raw.destroy();
  }

  /** Closes without a word once nothing is held. */
  dropLater(): void {
    this.#whenFree(() => this.drop());
  }

  /** What is being answered is the last word: nothing is read any more. */
  leave(reason: string): void {
    this.#engine?.gone(reason);
    // What is being answered is written by then
    void Promise.resolve().then(() => this.end());
  }

  /** 421, delays or not. */
  stop(): void {
    this.#cancelHold?.();
    this.#held = undefined;
    // Nobody can read in clear what is said amid a handshake
    if (this.#securing) this.drop();
    else this.#engine?.stop();
  }

  #whenFree(act: () => void): void {
    if (this.#held === undefined) act();
    else this.#held.push(() => this.#whenFree(act));
  }

  #secure(): void {
    const raw = this.#raw;
    const { secureContext } = this.#options;
    let over = false;
    const failed = (error: Error): void => {
      if (over) return;
      over = true;
      this.#engine?.gone(`TLS failed: ${error.message}`);
      this.drop();
    };
    if (raw.destroyed) return failed(new Error("closed before the TLS handshake"));
    const socket = new TLSSocket(raw, { isServer: true, ...(secureContext === undefined ? {} : { secureContext }) });
    socket.on("error", (error) => (over ? this.#engine?.gone(error.message) : failed(error)));
    // A socket that no tls.Server made keeps what breaks the layer to this event
    socket.on("_tlsError", (error: Error) => (over ? socket.destroy() : failed(error)));
    for (const event of ["end", "close"])
      socket.once(event, () =>
        failed(new Error("the client closed during the handshake; does it trust the certificate?")),
      );
    socket.on("secure", () => {
      if (over) return;
      over = true;
      this.#securing = false;
      this.#socket = socket;
      // The end of TLS is the end of the connection
      socket.on("close", () => this.#engine?.gone("disconnected"));
      this.#attach(socket);
      this.#engine?.secured({ protocol: socket.getProtocol() ?? "unknown", cipher: socket.getCipher().standardName });
    });
  }

  #attach(socket: Socket): void {
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("end", this.#onEnd);
  }

  #detach(socket: Socket): void {
    socket.off("data", this.#onData);
    socket.off("drain", this.#onDrain);
    socket.off("end", this.#onEnd);
  }

  readonly #onData = (octets: Buffer): void => this.#engine?.receive(octets);
  readonly #onDrain = (): void => {
    if (this.#held === undefined) this.#engine?.drained();
  };
  readonly #onEnd = (): void => {
    if (this.#ended) this.drop();
    else this.#engine?.ended();
  };
}

/** Who is at both ends, IPv4 written as IPv4. */
export function peerOf(socket: Socket): Peer {
  const plain = (address: string | undefined): string => (address ?? "0.0.0.0").replace(/^::ffff:(?=\d+\.)/i, "");
  return {
    client: { address: plain(socket.remoteAddress), port: socket.remotePort ?? 0 },
    local: { address: plain(socket.localAddress), port: socket.localPort ?? 0 },
  };
}
