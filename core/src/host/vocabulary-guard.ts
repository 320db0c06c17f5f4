import type { AssumedClient, Command, Exchange, Mechanism, Refused, State, Step } from "../protocol/machine.ts";
import type { ParameterSyntax } from "../protocol/parameters.ts";
import { replies } from "../protocol/replies.ts";
import { type Reply, replyProblem } from "../protocol/reply.ts";
import type { Identity, SentCredentials } from "../protocol/session.ts";
import { type Soon, attempt } from "../protocol/soon.ts";
import { ContextHandle } from "./context-handle.ts";
import type { Extension, Preamble } from "./extension.ts";
import { describe, disown, isThenable } from "./guard.ts";
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
      if (disown(value)) throw new TypeError("it returned a promise");
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
    const isLine = (value: string | undefined): boolean =>
      value === undefined || (typeof value === "string" && isText(`${name} ${value}`));
    return (session) => this.#try(`keyword ${name}`, () => parameters(session) ?? undefined, undefined, isLine);
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
        const lent = new ContextHandle(context);
        const sound = (step: Step | Refused): Step | Refused => {
          if (!isStep(step)) throw new TypeError(`it came to ${describe(step)}`);
          lent.settle(true, false);
          return step.go === "refused" ? step : this.#resumed(what, step, failed, lent);
        };
        const patience = new Patience(this.#terms);
        const run = (): Soon<Step | Refused> => {
          lent.lend(this.#plugin);
          const step = command.run(lent.judges(patience.asked(judges)), state, argument, lent);
          return isThenable(step) ? patience.wait(step).then(sound) : sound(step);
        };
        return attempt(run, (error) => {
          lent.settle(false, false);
          this.#complain(what, error);
          return failed;
        });
      },
    };
  }

  /** What a verb makes of the line or the identity it asked for is guarded as the verb is. */
  #resumed(what: string, step: Step, failed: Step, lent: ContextHandle): Step {
    // What it took in may be no recipient: that is told here, and is its failure too
    const isKept = (its: Step): boolean => {
      if (!isStep(its)) return false;
      lent.settle(true, false);
      return true;
    };
    const follow = (take: () => Step): Step => {
      lent.lend(this.#plugin);
      const next = this.#try(what, take, failed, isKept);
      lent.settle(false, false);
      return this.#resumed(what, next, failed, lent);
    };
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

const isStep = (step: Step | Refused): boolean => isHeld(step) && (isWhole(step) || disownParts(step));

/** Whether the engine gets all that it takes hold of in a step. */
function isWhole(step: Step | Refused): boolean {
  switch (step.go) {
    case "on":
      return isReply(step.reply) && isState(step.state) && (step.identity === undefined || isIdentity(step.identity));
    case "refused":
    case "close":
      return isReply(step.reply);
    case "upgrade":
      return isReply(step.reply) && isHeld(step.upgrade);
    case "line":
      return isReply(step.reply) && isReply(step.tooLong) && isCount(step.octets) && isFunction(step.resume);
    case "body":
      return isReply(step.reply) && isHeld(step.transaction) && isState(step.state);
    case "credentials":
      return isCredentials(step.credentials) && isFunction(step.resume);
    case "assume":
      return isClient(step.client);
    default:
      return false;
  }
}

/** An `await` was forgotten somewhere in it. */
function disownParts(step: object): false {
  for (const part of Object.values(step)) disown(part);
  return false;
}

const isState = (state: State): boolean => {
  if (!isHeld(state)) return false;
  switch (state.phase) {
    case "new":
      return true;
    case "ready":
      return isHeld(state.greeting);
    case "mail":
    case "rcpt":
      return isHeld(state.greeting) && isHeld(state.transaction);
    default:
      return false;
  }
};

const isIdentity = (identity: Identity): boolean =>
  isHeld(identity) && typeof identity.name === "string" && identity.name !== "";

const isCredentials = (sent: SentCredentials): boolean => {
  if (!isHeld(sent) || typeof sent.username !== "string") return false;
  if (sent.kind === "password") return typeof sent.password === "string";
  return sent.kind === "token" ? typeof sent.token === "string" : sent.kind === "proven";
};

const isClient = (client: AssumedClient): boolean =>
  isHeld(client) &&
  !disown(client) &&
  (client.address === undefined || isText(client.address)) &&
  (client.port === undefined || isCount(client.port)) &&
  (client.identity === undefined || isIdentity(client.identity));

/** One that may be sent. */
const isReply = (reply: Reply): boolean => isHeld(reply) && replyProblem(reply) === undefined;

/** It may stand in a reply. */
const isText = (text: string): boolean => typeof text === "string" && isReply({ code: 250, text });

/** Nothing, or the reply that says no. */
const isAnswer = (reply: Reply | undefined): boolean => reply === undefined || isReply(reply);

const isHeld = (value: unknown): value is object =>
  (typeof value === "object" || typeof value === "function") && value !== null;

const isFunction = (value: unknown): boolean => typeof value === "function";
const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0;

const isExchange = (step: Exchange): boolean => isHeld(step) && (isWholeExchange(step) || disownParts(step));

const isWholeExchange = (step: Exchange): boolean =>
  ("refuse" in step && isReply(step.refuse)) ||
  ("credentials" in step && isCredentials(step.credentials)) ||
  ("next" in step && step.challenge instanceof Uint8Array);

const isPreamble = (read: ReturnType<Extract<Preamble, { kind: "read" }>["read"]>): boolean =>
  read === undefined || read === null || (isCount(read.used) && isClient(read.client));
