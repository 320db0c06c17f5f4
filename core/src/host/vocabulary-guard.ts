import type { Command, Exchange, Mechanism } from "../protocol/machine.ts";
import type { ParameterSyntax } from "../protocol/parameters.ts";
import { replies } from "../protocol/replies.ts";
import type { Extension, Preamble } from "./extension.ts";
import { describe } from "./guard.ts";
import type { Log } from "./services.ts";

/**
 * The guard around vocabulary: what a plugin's verb, gate, keyword, parameter, mechanism or preamble throws
 * costs that client a 451 with the plugin's name in the log (P7). A gate that fails lets nobody through.
 */
export class VocabularyGuard {
  readonly #plugin: string;
  readonly #log: Log;

  constructor(plugin: string, log: Log) {
    this.#plugin = plugin;
    this.#log = log;
  }

  #try<T>(what: string, call: () => T, fallback: T): T {
    try {
      return call();
    } catch (error) {
      this.#log.error(
        { plugin: this.#plugin, err: error },
        `plugin ${this.#plugin} failed in ${what}: ${describe(error)}`,
      );
      return fallback;
    }
  }

  gate(gate: NonNullable<Extension["gate"]>): NonNullable<Extension["gate"]> {
    return (verb, session) => this.#try("its gate", () => gate(verb, session), replies.internal);
  }

  keyword<S>(name: string, parameters: (session: S) => string | undefined): (session: S) => string | undefined {
    return (session) => this.#try(`keyword ${name}`, () => parameters(session), undefined);
  }

  parameter(name: string, syntax: ParameterSyntax): ParameterSyntax {
    return {
      ...syntax,
      problem: (value) => this.#try(`parameter ${name}`, () => syntax.problem(value), replies.internal),
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
        const ran = this.#try(`verb ${name}`, () => (command.run(judges, state, argument, context, once), true), false);
        if (!ran) once({ go: "refused", reply: replies.internal, close: false, syntax: false });
      },
    };
  }

  mechanism(mechanism: Mechanism): Mechanism {
    const what = `mechanism ${mechanism.name}`;
    const refuse: Exchange = { refuse: replies.internal };
    const follow = (step: Exchange): Exchange =>
      "next" in step
        ? { ...step, next: (response) => follow(this.#try(what, () => step.next(response), refuse)) }
        : step;
    return {
      ...mechanism,
      offered: (session) => this.#try(what, () => mechanism.offered?.(session) !== false, false),
      start: (initial, session) => follow(this.#try(what, () => mechanism.start(initial, session), refuse)),
    };
  }

  preamble(preamble: Preamble): Preamble {
    if (preamble.kind === "upgrade") return preamble;
    return {
      ...preamble,
      read: (octets, session) => this.#try("its preamble", () => preamble.read(octets, session), null),
    };
  }
}
