import { type AddressInfo, type Server, type Socket, createServer } from "node:net";
import { createSecureContext } from "node:tls";
import { type BareLineEnds, type Limits, type Mailhost, type Plugin, describeError, mailhost } from "@mailhost/core";
import { type KeyPair, selfSigned } from "./certificate.ts";
import { after, realClock } from "./clock.ts";
import { Dialogues } from "./dialogue.ts";
import { faultPlugin } from "./fault-plugin.ts";
import { Faults } from "./faults.ts";
import { Journal } from "./journal.ts";
import { Mailbox } from "./mailbox.ts";
import { type AuthOptions, type TlsMode, securityPlugin } from "./security-plugin.ts";
import { storagePlugin } from "./storage-plugin.ts";
import { SocketWire, type WireOptions, peerOf } from "./wire.ts";

/** What an inbox's server is made of. */
export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly tls: TlsMode | undefined;
  readonly certificate: KeyPair | undefined;
  readonly auth: AuthOptions | undefined;
  readonly localPartFaults: boolean;
  readonly limits: Partial<Limits>;
  readonly bareLineEnds: BareLineEnds;
  readonly plugins: readonly Plugin[];
}

/** Milliseconds clients get to read the 421 when the inbox closes. */
const closeMilliseconds = 100;

/** The server behind an inbox: core's engine on sockets that can misbehave. */
export class PostOffice {
  readonly mailbox = new Mailbox();
  readonly journal = new Journal();
  readonly faults: Faults;
  readonly #settings: Settings;
  readonly #dialogues = new Dialogues();
  readonly #mailhost: Mailhost;
  readonly #listener: Server;
  #wire: WireOptions;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.faults = new Faults(settings.localPartFaults);
    this.#mailhost = this.#makeMailhost();
    this.#wire = {
      clock: realClock,
      secureContext: undefined,
      handshakeFault: () => this.faults.take("TLS"),
    };
    this.#listener = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Resolves to the certificate, if there is TLS. Rejects with the error of `net`, or a ConfigurationError. */
  async open(): Promise<string | undefined> {
    const { tls, host, port } = this.#settings;
    const pair = tls === undefined ? undefined : (this.#settings.certificate ?? (await selfSigned()));
    if (pair !== undefined)
      this.#wire = { ...this.#wire, secureContext: createSecureContext({ cert: pair.cert, key: pair.key }) };
    await this.#mailhost.prepare();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#listener.once("error", reject);
        this.#listener.listen({ host, port }, () => {
          this.#listener.off("error", reject);
          this.#listener.on("error", (error) => this.journal.note(`the inbox failed: ${error.message}`));
          resolve();
        });
      });
    } catch (error) {
      await this.#mailhost.close();
      throw error;
    }
    // A test run that forgets its inbox ends all the same
    this.#listener.unref();
    return pair?.cert;
  }

  get address(): AddressInfo {
    const address = this.#listener.address();
    if (typeof address !== "object" || address === null) throw new Error("the inbox does not listen");
    return address;
  }

  async close(): Promise<void> {
    this.mailbox.close(new Error("the inbox was closed"));
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const wire of this.#dialogues.wires) wire.stop();
    const lastWord = after(closeMilliseconds, () => this.#dialogues.wires.forEach((wire) => wire.drop()));
    await closed;
    lastWord.cancel();
    await this.#mailhost.close();
  }

  #accept(socket: Socket): void {
    const wire = new SocketWire(socket, this.#wire);
    const over = (): void => void wire.closed.then(() => this.#dialogues.close(engine.session));
    const engine = this.#mailhost.dialogue(wire, { peer: peerOf(socket), over });
    this.#dialogues.open(engine.session, wire);
    wire.start(engine, this.#settings.tls === "implicit");
  }

  #makeMailhost(): Mailhost {
    const { tls, auth, limits, bareLineEnds, plugins } = this.#settings;
    return mailhost({
      name: "inbox.test",
      clock: realClock,
      log: {
        debug() {},
        info() {},
        warn() {},
        error: (fields, message) =>
          this.journal.note("err" in fields ? `${message}: ${describeError(fields.err)}` : message),
      },
      plugins: [
        faultPlugin(this.faults, this.#dialogues),
        ...plugins,
        securityPlugin(tls, auth, this.#dialogues),
        storagePlugin(this.#dialogues, this.journal, (message) => this.mailbox.add(message)),
      ],
      listeners: [{ name: "inbox", port: 0, mode: "submission", ...(tls === "implicit" ? { tls } : {}) }],
      bareLineEnds,
      // Applications keep connections for as long as their tests run
      limits: { transactions: Infinity, commands: Infinity, errors: Infinity, ...limits },
      timeouts: { command: Infinity, data: Infinity, session: Infinity },
    });
  }
}
