import type { Identity, SentCredentials } from "../protocol/session.ts";
import type { Edit } from "./edit.ts";
import { Handle, type Lender } from "./handle.ts";

/** What AUTH sent, on its way to an identity. */
export type Credentials = SentCredentials & {
  /** Says who the client is. The first identity counts. Throws a TypeError on one without a name. */
  identify(identity: Identity): void;
};

/** What all taps together said of one AUTH. */
export class CredentialsCase implements Lender<Credentials> {
  readonly sent: SentCredentials;
  identity: Identity | undefined;
  readonly shared: Credentials;

  constructor(sent: SentCredentials) {
    this.sent = sent;
    this.shared = this.fresh();
  }

  fresh(): Credentials {
    const handle = new CredentialsHandle(this);
    // Assigned rather than spread: the handle keeps its class, the fields keep their union.
    // Frozen, so that no tap changes what the next one sees
    return Object.freeze(Object.assign(handle, this.sent));
  }
}

class CredentialsHandle extends Handle {
  readonly #case: CredentialsCase;
  #identity: Identity | undefined;

  constructor(of: CredentialsCase) {
    super();
    this.#case = of;
  }

  static {
    Object.freeze(this.prototype);
  }

  identify(identity: Identity): void {
    // A look-up that found nobody must not become somebody without a name
    if (typeof identity?.name !== "string" || identity.name === "")
      throw new TypeError("identify wants { name } with a name that is not empty");
    if (this.alive) this.#identity ??= { ...identity };
  }

  protected edits(): readonly Edit[] {
    return this.#identity === undefined ? [] : [{ kind: "identify", identity: this.#identity.name }];
  }

  protected keep(): void {
    this.#case.identity ??= this.#identity;
    this.forget();
  }

  protected forget(): void {
    this.#identity = undefined;
  }
}
