import type { Command, Done, Exchange, Judges, Mechanism } from "../protocol/machine.ts";
import type { ParameterSyntax } from "../protocol/parameters.ts";
import { replies } from "../protocol/replies.ts";
import type { Extension, Preamble } from "./extension.ts";
import { describe, isThenable } from "./guard.ts";
import type { Log } from "./services.ts";

/**
 * The guard around vocabulary: what a plugin's verb, gate, keyword, parameter, mechanism or preamble throws
 * or wrongly returns costs that client a 451 with the plugin's name in the log (P7). A gate that fails lets nobody
 * through. Nobody waits here: a promise is a failure, except of a verb, which answers when it likes.
 */
export class VocabularyGuard {
  readonly #plugin: string;
  readonly #log: Log;

  constructor(plugin: string, log: Log) {
    this.#plugin = plugin;
    this.#log = log;
  }

  #try<T>(what: string, call: () => T, fallback: T, isSound: (value: T) => boolean = () => true): T {
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
    this.#log.error(fields, `plugin ${this.#plugin} failed in ${what}: ${describe(error)}`);
  }

  gate(gate: NonNullable<Extension["gate"]>): NonNullable<Extension["gate"]> {
    return (verb, session) => this.#try("its gate", () => gate(verb, session) ?? undefined, replies.internal);
  }

  keyword<S>(name: string, parameters: (session: S) => string | undefined): (session: S) => string | undefined {
    return (session) => this.#try(`keyword ${name}`, () => parameters(session) ?? undefined, undefined);
  }

  parameter(name: string, syntax: ParameterSyntax): ParameterSyntax {
    return {
      ...syntax,
      problem: (value) => this.#try(`parameter ${name}`, () => syntax.problem(value) ?? undefined, replies.internal),
    };
  }

  verb(name: string, command: Command): Command {
    return {
      ...command,
      run: (judges, state, argument, context, done) => {
        // Answers once: what is thrown behind the answer is logged and changes nothing
        let answered = false;
        const once: typeof done = (step) => {
          if (answered) return;
          answered = true;
          done(step);
        };
        const failed = (error: unknown): void => {
          this.#complain(`verb ${name}`, error);
          once({ go: "refused", reply: replies.internal, close: false, syntax: false });
        };
        const caught =
          <T>(answer: Done<T>): Done<T> =>
          (outcome) => {
            try {
              answer(outcome);
            } catch (error) {
              failed(error);
            }
          };
        // What changes behind a judge that took its time has nobody else to catch what it throws
        const asked: Judges = {
          greeting: (greeting, answer) => judges.greeting(greeting, caught(answer)),
          credentials: (credentials, answer) => judges.credentials(credentials, caught(answer)),
          recipient: (path, transaction, answer) => judges.recipient(path, transaction, caught(answer)),
        };
        try {
          const returned: unknown = command.run(asked, state, argument, context, once);
          if (isThenable(returned)) returned.then(undefined, failed);
        } catch (error) {
          failed(error);
        }
      },
    };
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

const isExchange = (step: Exchange): boolean =>
  "refuse" in step || "credentials" in step || ("next" in step && step.challenge instanceof Uint8Array);

const isPreamble = (read: ReturnType<Extract<Preamble, { kind: "read" }>["read"]>): boolean =>
  read === undefined || read === null || (Number.isInteger(read.used) && read.used >= 0);
