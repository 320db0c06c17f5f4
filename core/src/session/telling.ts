import type { LineFault } from "../host/trace.ts";
import type { Mechanism } from "../protocol/machine.ts";
import { type Reply, tracedLines } from "../protocol/reply.ts";
import type { TlsInfo } from "../protocol/session.ts";
import type { LiveRun } from "./live-run.ts";
import { LineMask, type SeenLine } from "./masking.ts";

/** What is shown of a body to those who only count. */
const unseen = new Uint8Array(0);

/** What those who watch are told of a dialogue, without its secrets. Nothing is made for it when nobody watches (P8). */
export class Telling {
  readonly #run: LiveRun;
  readonly #mask: LineMask | undefined;

  constructor(run: LiveRun, mechanisms: ReadonlyMap<string, Mechanism>) {
    this.#run = run;
    this.#mask = run.traced ? new LineMask(mechanisms) : undefined;
  }

  opened(): void {
    const { at, session, traced } = this.#run;
    if (traced) this.#run.trace({ type: "open", at, session });
  }

  closed(reason: string, delivering: boolean): void {
    const { at, session, traced } = this.#run;
    if (traced) this.#run.trace({ type: "close", at, session, reason, delivering });
  }

  /** The layer below is new: what was said in clear is forgotten. */
  secured(tls: TlsInfo | undefined): void {
    this.#mask?.forget();
    const { at, session, traced } = this.#run;
    if (tls !== undefined && traced)
      this.#run.trace({ type: "secured", at, session, protocol: tls.protocol, cipher: tls.cipher });
  }

  /** A line where a command was due, and the verb it was understood as. */
  command(line: string, verb: string | undefined): void {
    this.#hear(this.#mask?.command(line, verb));
  }

  /** A line a row asked for, or what was wrong with it. */
  answer(line: string | undefined, fault: LineFault | undefined): void {
    this.#hear(this.#mask?.answer(line, fault));
  }

  /** A line that is no command. */
  broken(fault: LineFault): void {
    this.#hear(this.#mask?.broken(fault));
  }

  /** What came is the beginning of another protocol. */
  foreign(): void {
    if (this.#run.traced) this.#hear({ line: "", secret: false, fault: "otherProtocol" });
  }

  #hear(seen: SeenLine | undefined): void {
    if (seen === undefined) return;
    const { line, secret, fault } = seen;
    this.#run.trace({ type: "client", at: this.#run.at, session: this.#run.session, line, secret, fault });
  }

  said(reply: Reply): void {
    const { session, traced } = this.#run;
    if (!traced) return;
    for (const line of tracedLines(reply))
      this.#run.trace({ type: "server", at: this.#run.at, session, line, secret: false });
  }

  /** Octets of a body as they were read. They are only lent. */
  body(read: Uint8Array, header: boolean, transaction: string): void {
    if (!this.#run.traced) return;
    const { at, session, bodiesTraced } = this.#run;
    const octets = bodiesTraced ? new Uint8Array(read) : unseen;
    this.#run.trace({ type: "body", at, session, count: read.length, octets, header, transaction });
  }
}
