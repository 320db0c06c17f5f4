import {
  type Fault,
  type Host,
  type Opinion,
  type Session,
  type Soon,
  type Transaction,
  describeError,
  soon,
} from "@mailhost/core";
import { firstAnswer } from "./first-answer.ts";
import { type Keys, addressKeys, identityKey } from "./keys.ts";
import type { Offender, Whom } from "./limit.ts";
import type { Excess } from "./options.ts";
import { Places } from "./places.ts";
import type { Rules } from "./rules.ts";

/** What is known of one session. */
interface Visit {
  /** What its client is counted by; nothing when that is exempt. */
  readonly client: Keys;
  readonly places: Places;
  /** The name of the last AUTH. */
  tried?: string;
  /** The transaction whose message was counted. */
  transaction?: string;
  /** What came of that. */
  refusal?: Opinion;
}

/** For the log. */
const words: Readonly<Record<Excess, string>> = {
  concurrency: "sessions at once",
  connections: "connections",
  messages: "messages",
  recipients: "recipients",
  faults: "faults",
  authFailures: "wrong passwords",
};

/** Milliseconds between two lines about sessions that found no place. */
const logEvery = 60_000;

/** Counts what sessions do, and says when it is too much. */
export class Warden {
  readonly #host: Host;
  readonly #rules: Rules;
  readonly #visits = new Map<string, Visit>();
  #toldAt = -Infinity;

  constructor(host: Host, rules: Rules) {
    this.#host = host;
    this.#rules = rules;
  }

  /** Asked once more for an assumed client, who is another one. */
  connect(session: Session): Soon<Opinion> {
    this.end(session);
    const visit = this.#visit(session);
    const { client, places } = visit;
    return firstAnswer<Opinion>([
      () => this.#enter(session, places, client),
      () => this.#full("faults", client),
      () => this.#count("connections", session, client),
    ]);
  }

  ehlo(session: Session, signal: AbortSignal): Soon<Opinion> {
    return this.#rules.tarpit?.wait(this.#visit(session).client, signal);
  }

  /** A wrong password is known only afterwards: the next one is refused, right or wrong. */
  auth(username: string, session: Session, signal: AbortSignal): Soon<Opinion> {
    const visit = this.#visit(session);
    visit.tried = identityKey(username);
    const { client, tried } = visit;
    return firstAnswer<Opinion>([
      () => this.#full("authFailures", { ...client, identity: tried }),
      () => this.#rules.tarpit?.wait(client, signal),
    ]);
  }

  rcpt(transaction: Transaction, session: Session, signal: AbortSignal): Soon<Opinion> {
    const visit = this.#visit(session);
    const { client, places } = visit;
    const { identity } = session;
    const keys = identity === undefined ? client : { ...client, identity: identityKey(identity.name) };
    return firstAnswer<Opinion>([
      () => this.#enter(session, places, keys),
      () => this.#full("faults", keys),
      () => this.#countMessage(visit, transaction, session, keys),
      () => this.#count("recipients", session, keys),
      () => this.#rules.tarpit?.wait(client, signal),
    ]);
  }

  /** A transaction is counted once; all its recipients get the same answer. */
  #countMessage(visit: Visit, { id }: Transaction, session: Session, keys: Keys): Soon<Opinion> {
    if (visit.transaction === id) return visit.refusal;
    visit.transaction = id;
    return soon(this.#count("messages", session, keys), (refusal) => (visit.refusal = refusal));
  }

  fault(session: Session, fault: Fault): void {
    const visit = this.#visits.get(session.id);
    const client = visit?.client ?? this.#clientKeys(session);
    const { identity } = session;
    const noted = [
      this.#note(
        "faults",
        session,
        identity === undefined ? client : { ...client, identity: identityKey(identity.name) },
      ),
      this.#rules.tarpit?.note(client),
      fault === "credentials" ? this.#note("authFailures", session, { ...client, identity: visit?.tried }) : undefined,
    ];
    for (const one of noted)
      if (one instanceof Promise)
        one.catch((error: unknown) => this.#host.log.debug({ err: error }, `not counted: ${describeError(error)}`));
  }

  end({ id }: Session): void {
    this.#visits.get(id)?.places.close();
    this.#visits.delete(id);
  }

  #visit(session: Session): Visit {
    const known = this.#visits.get(session.id);
    if (known !== undefined) return known;
    const visit: Visit = { client: this.#clientKeys(session), places: new Places(this.#rules.gauges) };
    this.#visits.set(session.id, visit);
    return visit;
  }

  #clientKeys({ client: { address } }: Session): Keys {
    return this.#rules.exempt.has(address) ? {} : addressKeys(address, this.#rules.prefixes);
  }

  #enter(session: Session, places: Places, keys: Keys): Opinion {
    const per = places.take(keys, this.#rules.concurrency);
    if (per === undefined) return undefined;
    const now = this.#host.clock.now();
    if (now >= this.#toldAt + logEvery) {
      this.#toldAt = now;
      this.#tell("concurrency", session, per);
    }
    return this.#rules.refusals.concurrency;
  }

  #count(excess: Exclude<Excess, "concurrency">, session: Session, keys: Keys): Soon<Opinion> {
    return soon(this.#rules.limits[excess].count(keys), (offender) => {
      if (offender === undefined) return undefined;
      if (offender.first) this.#tell(excess, session, offender.per);
      return this.#rules.refusals[excess];
    });
  }

  #full(excess: Exclude<Excess, "concurrency">, keys: Keys): Soon<Opinion> {
    return soon(this.#rules.limits[excess].full(keys), (offender) =>
      offender === undefined ? undefined : this.#rules.refusals[excess],
    );
  }

  #note(excess: Exclude<Excess, "concurrency">, session: Session, keys: Keys): Soon<void> {
    return this.#rules.limits[excess].note(keys, ({ per }: Offender) => this.#tell(excess, session, per));
  }

  /** Once for each time that somebody's limit is reached. */
  #tell(excess: Excess, { id, client, identity }: Session, per: Whom): void {
    const fields = {
      session: id,
      client: client.address,
      ...(identity === undefined ? {} : { identity: identity.name }),
    };
    this.#host.log.info(fields, `too many ${words[excess]}, by ${per}: ${client.address}`);
  }
}
