import { type Reply, type Status, makeReply } from "@mailhost/core";
import { checkKeys } from "./keys.ts";
import { localPartFault } from "./local-part.ts";
import { type Match, type Test, addressTest } from "./match.ts";

/** When a fault happens: instead of the answer to that command. */
export type FaultPoint =
  /** The banner. */
  | "CONNECT"
  /** The TLS handshake. */
  | "TLS"
  /** HELO too. */
  | "EHLO"
  | "STARTTLS"
  /** Once the credentials were sent. */
  | "AUTH"
  | "MAIL"
  | "RCPT"
  /** Before the message. */
  | "DATA"
  /** The message, and its end. */
  | "BODY";

/** Something that goes wrong on purpose. */
export interface Fault {
  readonly at: FaultPoint;
  /** Only for this recipient: at RCPT, DATA and BODY. */
  readonly to?: Match;
  /** Only for this reverse-path: at MAIL and later. */
  readonly from?: Match;
  /** Milliseconds before the answer; Infinity for never. Alone, the command then goes on as ever. */
  readonly delay?: number;
  /** What is answered: `451 4.3.0 Try again later`. A 421 closes the connection. */
  readonly reply?: string;
  /** Closes the connection without a word; at BODY also once that many octets of the message have come. */
  readonly drop?: true | { readonly afterOctets: number };
  /** How often it happens; always unless told otherwise. */
  readonly times?: number;
}

/** A fault that was put into an inbox. */
export interface ScriptedFault {
  /** How often it happened. */
  readonly hits: number;
  remove(): void;
}

/** What is known of the transaction when a command is answered. */
export interface About {
  readonly to?: readonly string[];
  readonly from?: string | undefined;
  /** Octets of the body so far; undefined once it is over. */
  readonly octets?: number;
}

/** What is done instead of, or before, the answer. */
export interface Effect {
  readonly delay: number;
  readonly reply?: Reply;
  readonly drop: boolean;
}

interface Entry {
  readonly at: FaultPoint;
  readonly to: Test | undefined;
  readonly from: Test | undefined;
  /** Of the body: only there the effect is due while it arrives. */
  readonly afterOctets: number | undefined;
  readonly effect: Effect;
  left: number;
  hits: number;
}

const knowsFrom: readonly FaultPoint[] = ["MAIL", "RCPT", "DATA", "BODY"];
const knowsTo: readonly FaultPoint[] = ["RCPT", "DATA", "BODY"];
const points: readonly FaultPoint[] = ["CONNECT", "TLS", "EHLO", "STARTTLS", "AUTH", ...knowsFrom];

/** The faults of an inbox. Of several that fit, the one that was added first and is not used up happens. */
export class Faults {
  readonly #entries = new Set<Entry>();
  readonly #localParts: boolean;

  constructor(localParts: boolean) {
    this.#localParts = localParts;
  }

  /** Throws a TypeError on a fault that cannot happen. */
  add(fault: Fault): ScriptedFault {
    const entry = readFault(fault);
    this.#entries.add(entry);
    return {
      get hits() {
        return entry.hits;
      },
      remove: () => void this.#entries.delete(entry),
    };
  }

  clear(): void {
    this.#entries.clear();
  }

  /** What happens now, counted. */
  take(at: FaultPoint, about: About = {}): Effect | undefined {
    for (const entry of this.#entries) {
      if (entry.at !== at || entry.left === 0 || !fits(entry, about)) continue;
      entry.left -= 1;
      entry.hits += 1;
      return entry.effect;
    }
    return this.#localParts && about.octets === undefined ? localPartFault(at, about) : undefined;
  }
}

const fits = ({ to, from, afterOctets }: Entry, about: About): boolean =>
  (afterOctets === undefined ? about.octets === undefined : (about.octets ?? -1) >= afterOctets) &&
  (to === undefined || (about.to ?? []).some(to)) &&
  (from === undefined || (about.from !== undefined && from(about.from)));

function readFault(fault: Fault): Entry {
  checkKeys(fault, ["at", "to", "from", "delay", "reply", "drop", "times"], "a fault");
  const { at, to, from, delay = 0, reply, drop, times = Infinity } = fault;
  if (typeof drop === "object") checkKeys(drop, ["afterOctets"], "drop of a fault");
  const bad = (why: string): never => {
    throw new TypeError(`fault at ${at}: ${why}`);
  };
  if (!points.includes(at)) bad(`there is no such point; there are ${points.join(", ")}`);
  if (to !== undefined && !knowsTo.includes(at)) bad("no recipient is known yet");
  if (from !== undefined && !knowsFrom.includes(at)) bad("no sender is known yet");
  if (!(delay >= 0)) bad(`a delay is milliseconds, not ${delay}`);
  if (times !== Infinity && !(Number.isInteger(times) && times > 0)) bad(`times is a count, not ${times}`);
  if (reply !== undefined && drop !== undefined) bad("it has a reply and drops the connection");
  if (reply === undefined && drop === undefined && delay === 0) bad("it says no reply, drop or delay");
  if (reply !== undefined && at === "TLS") bad("a handshake has no replies: use STARTTLS");
  const counts = typeof drop === "object";
  const afterOctets = counts ? drop.afterOctets : undefined;
  if (counts && at !== "BODY") bad("octets are counted at BODY");
  if (counts && !(Number(afterOctets) >= 0)) bad(`afterOctets is a count, not ${afterOctets}`);
  const said = reply === undefined ? undefined : readReply(reply);
  // RFC 5321 §3.1, RFC 7504
  if (said !== undefined && at === "CONNECT" && ![421, 521, 554].includes(said.code))
    bad("a connection is refused with 421, 521 or 554");
  return {
    at,
    to: to === undefined ? undefined : addressTest(to, "to"),
    from: from === undefined ? undefined : addressTest(from, "from"),
    afterOctets,
    effect: { delay, drop: drop !== undefined, ...(said === undefined ? {} : { reply: said }) },
    left: times,
    hits: 0,
  };
}

/** `451 4.3.0 Try again later`; status and text may be missing. Throws a TypeError on what is no refusal. */
export function readReply(text: string): Reply {
  const matched = /^([45]\d\d)(?: (\d\.\d{1,3}\.\d{1,3}))?(?: (.*))?$/.exec(text);
  if (matched === null)
    throw new TypeError(`${JSON.stringify(text)} is no refusal; one reads "451 4.3.0 Try again later"`);
  const [, code, status, words = "As the test says"] = matched;
  // The pattern lets only such a status pass; makeReply checks its class
  return makeReply(Number(code), status as Status | undefined, words);
}
