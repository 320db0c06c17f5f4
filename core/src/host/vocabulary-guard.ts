import type { Command, Exchange, Mechanism, Refused, Step } from "../protocol/machine.ts";
import type { ParameterSyntax } from "../protocol/parameters.ts";
import { replies } from "../protocol/replies.ts";
import { type Reply, replyProblem } from "../protocol/reply.ts";
import type { Identity } from "../protocol/session.ts";
import { type Soon, attempt } from "../protocol/soon.ts";
import type { Extension, Preamble } from "./extension.ts";
import { describe, isThenable } from "./guard.ts";
import type { Health } from "./health.ts";
import { Patience } from "./patience.ts";
import type { Clock, Log } from "./services.ts";

/** What holds for every plugin of a listener. `deadline`: milliseconds until a verb must have answered. */
export interface Terms {
  readonly log: Log;
  readonly clock: Clock;
  readonly deadline: number;
}

/**
 * The guard around vocabulary: what a plugin's verb, gate, keyword, parameter, mechanism or preamble throws
 * or wrongly returns costs that client a 451 with the plugin's name in the log (P7). A gate that fails lets nobody
 * through. Nobody waits here: a promise is a failure, except of a verb, which answers within the time taps have.
 */
export class VocabularyGuard {
  readonly #plugin: string;
  readonly #terms: Terms;
  readonly #health: Health;

  constructor(plugin: string, terms: Terms, health: Health) {
    this.#plugin = plugin;
    this.#terms = terms;
    this.#health = health;
  }

  #try<T>(what: string, call: () => T, fallback: T, isSound: (value: T) => boolean = () => true): T {
    this.#health.called(this.#terms);
    try {
      const value = call();
      if (isThenable(value)) value.then(undefined, () => {}); // its rejection is reported as this failure
      if (isThenable(value)) throw new TypeError("it returned a promise");
      if (!isSound(value)) throw new TypeError(`it returned ${describe(value)}`);
      return value;
    } catch (error) {
      this.#complain(what, error);
      return fallback;
    }
  }

  #complain(what: string, error: unknown): void {
    const fields = { plugin: this.#plugin, err: error };
    this.#terms.log.error(fields, `plugin ${this.#plugin} failed in ${what}: ${describe(error)}`);
    this.#health.failed(error, this.#terms);
  }

  gate(gate: NonNullable<Extension["gate"]>): NonNullable<Extension["gate"]> {
    return (verb, session) => this.#try("its gate", () => gate(verb, session) ?? undefined, replies.internal, isAnswer);
  }

  keyword<S>(name: string, parameters: (session: S) => string | undefined): (session: S) => string | undefined {
    return (session) => this.#try(`keyword ${name}`, () => parameters(session) ?? undefined, undefined);
  }

  parameter(name: string, syntax: ParameterSyntax): ParameterSyntax {
    return {
      ...syntax,
      problem: (value) =>
        this.#try(`parameter ${name}`, () => syntax.problem(value) ?? undefined, replies.internal, isAnswer),
    };
  }

  verb(name: string, command: Command): Command {
    const what = `verb ${name}`;
    return {
      ...command,
      run: (judges, state, argument, context) => {
        this.#health.called(this.#terms);
        const failed: Step = { go: "on", reply: replies.internal, state };
        const sound = (step: Step | Refused): Step | Refused => {
          if (!isStep(step)) throw new TypeError(`it came to ${describe(step)}`);
          return step.go === "refused" ? step : this.#resumed(what, step, failed);
        };
        const patience = new Patience(this.#terms);
        const run = (): Soon<Step | Refused> => {
          const step = command.run(patience.asked(judges), state, argument, context);
          return isThenable(step) ? patience.wait(step).then(sound) : sound(step);
        };
        return attempt(run, (error) => {
          this.#complain(what, error);
          return failed;
        });
      },
    };
  }

  /** What a verb makes of the line or the identity it asked for is guarded as the verb is. */
  #resumed(what: string, step: Step, failed: Step): Step {
    const follow = (take: () => Step): Step => this.#resumed(what, this.#try(what, take, failed, isStep), failed);
    if (step.go === "line") return { ...step, resume: (line: string) => follow(() => step.resume(line)) };
    if (step.go === "credentials")
      return { ...step, resume: (identity: Identity) => follow(() => step.resume(identity)) };
    return step;
  }

  mechanism(mechanism: Mechanism): Mechanism {
    const what = `mechanism ${mechanism.name}`;
    const refuse: Exchange = { refuse: replies.internal };
    const follow = (take: () => Exchange): Exchange => {
      const step = this.#try(what, take, refuse, isExchange);
      return "next" in step ? { ...step, next: (response) => follow(() => step.next(response)) } : step;
    };
    return {
      ...mechanism,
      // Whatever is no plain yes is a no: a password must not be asked for in clear by mistake
      offered: (session) =>
        this.#try(what, () => mechanism.offered === undefined || mechanism.offered(session), false, isBoolean),
      start: (initial, session) => follow(() => mechanism.start(initial, session)),
    };
  }

  preamble(preamble: Preamble): Preamble {
    if (preamble.kind === "upgrade") return preamble;
    return {
      ...preamble,
      read: (octets, session) => this.#try("its preamble", () => preamble.read(octets, session), null, isPreamble),
    };
  }
}

// What the types promise and JavaScript may break.

const isBoolean = (value: unknown): boolean => typeof value === "boolean";

/** What the engine takes hold of in each step. */
const parts: { readonly [Go in (Step | Refused)["go"]]: readonly (keyof Extract<Step | Refused, { go: Go }>)[] } = {
  on: ["reply", "state"],
  refused: ["reply"],
  close: ["reply"],
  upgrade: ["reply", "upgrade"],
  line: ["reply", "tooLong", "resume"],
  body: ["reply", "transaction", "state"],
  credentials: ["credentials", "resume"],
  assume: ["client"],
};
const partsOf: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(parts));

const isStep = (step: Step | Refused): boolean =>
  isHeld(step) &&
  partsOf.get(step.go)?.every((part) => isHeld(Reflect.get(step, part))) === true &&
  (!("reply" in step) || isReply(step.reply)) &&
  (step.go !== "line" || isReply(step.tooLong));

/** One that may be sent. */
const isReply = (reply: Reply): boolean => isHeld(reply) && replyProblem(reply) === undefined;

/** Nothing, or the reply that says no. */
const isAnswer = (reply: Reply | undefined): boolean => reply === undefined || isReply(reply);

const isHeld = (value: unknown): value is object =>
  (typeof value === "object" || typeof value === "function") && value !== null;

const isExchange = (step: Exchange): boolean =>
  ("refuse" in step && isReply(step.refuse)) ||
  "credentials" in step ||
  ("next" in step && step.challenge instanceof Uint8Array);

const isPreamble = (read: ReturnType<Extract<Preamble, { kind: "read" }>["read"]>): boolean =>
  read === undefined || read === null || (Number.isInteger(read.used) && read.used >= 0);
