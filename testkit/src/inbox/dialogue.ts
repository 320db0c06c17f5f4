import type { Session, Transaction } from "@mailhost/core";
import type { SocketWire } from "./wire.ts";

/** What an inbox remembers of a dialogue while it lasts. */
export interface Dialogue {
  readonly wire: SocketWire;
  /** The last line of the client; what is secret is masked. */
  said: string;
  /** The last line of ours. */
  answered: string;
  /** It came to a message or a refusal: how it ends is no news. */
  came: boolean;
  /** The transaction that has recipients, or had. */
  transaction: Transaction | undefined;
  /** Octets of the body so far, as they came. */
  octets: number;
  /** The first of them. */
  firstOctet: number | undefined;
  /** Hung up on by a fault. */
  dropped: boolean;
  auth: { readonly username: string; readonly password: string } | undefined;
}

/** Every dialogue of an inbox, by session id: it stays the same through TLS. */
export class Dialogues {
  readonly #bySession = new Map<string, Dialogue>();

  get wires(): SocketWire[] {
    return Array.from(this.#bySession.values(), ({ wire }) => wire);
  }

  open(session: Session, wire: SocketWire): void {
    this.#bySession.set(session.id, {
      wire,
      said: "",
      answered: "",
      came: false,
      transaction: undefined,
      octets: 0,
      firstOctet: undefined,
      dropped: false,
      auth: undefined,
    });
  }

  /** Throws for a session that is over, or of somebody else. */
  of({ id }: Session): Dialogue {
    const dialogue = this.#bySession.get(id);
    if (dialogue === undefined) throw new Error(`session ${id} is not of this inbox`);
    return dialogue;
  }

  close({ id }: Session): void {
    this.#bySession.delete(id);
  }
}
