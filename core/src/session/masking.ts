import type { LineFault } from "../host/trace.ts";
import { asciiUpper } from "../protocol/octets.ts";

/** Stands for what must never be seen. */
export const masked = "***";

/** A line as watchers may see it. */
export interface SeenLine {
  readonly line: string;
  readonly secret: boolean;
  readonly fault?: LineFault | undefined;
}

/** AUTH, however badly it was written, and what stands behind it. */
const auth = /^([^a-z]*auth)(.*)$/is;
const mechanismFirst = /^(\s+(\S+))(.*)$/s;

/** Logins of other protocols, sent to the wrong port: POP3 and FTP, IMAP. */
const foreignLogin = /^((?:\S+\s+)?(?:pass|login|apop)\s+)\S/i;

/**
 * Hides what may be a secret, for all who watch. Of AUTH only the command and a mechanism the server knows are shown.
 * A line nobody understood is hidden once AUTH was said, or once a line came broken: it may be the answer
 * to a 334 that never came.
 */
export class LineMask {
  readonly #mechanisms: ReadonlyMap<string, unknown>;
  #careful = false;

  constructor(mechanisms: ReadonlyMap<string, unknown>) {
    this.#mechanisms = mechanisms;
  }

  /** A line where a command was due, and the verb it was understood as. */
  command(line: string, verb: string | undefined): SeenLine {
    if (verb !== undefined && verb !== "AUTH") return { line, secret: false };
    if (this.#careful && verb === undefined) return hidden("");
    const matched = auth.exec(line);
    if (matched === null) {
      const login = foreignLogin.exec(line);
      return login === null ? { line, secret: false } : hidden(login[1]);
    }
    const [, word = "", rest = ""] = matched;
    this.#careful = true;
    if (rest.trim() === "") return { line, secret: false };
    const [, shown = "", mechanism = "", response = ""] = mechanismFirst.exec(rest) ?? [];
    if (!this.#mechanisms.has(asciiUpper(mechanism))) return hidden(`${word} `);
    return response.trim() === "" ? { line, secret: false } : hidden(`${word}${shown} `);
  }

  /** A line a row asked for: `*` cancels (RFC 4954 §4) and is no secret. */
  answer(line: string | undefined, fault: LineFault | undefined): SeenLine {
    if (line === "*") return { line, secret: false };
    return fault === undefined ? hidden("") : { ...hidden(""), fault };
  }

  /** A line of which nothing is shown but what was wrong with it. */
  broken(fault: LineFault): SeenLine {
    this.#careful = true;
    return { line: "", secret: false, fault };
  }

  /** TLS has begun: what was said in clear is forgotten. */
  forget(): void {
    this.#careful = false;
  }
}

const hidden = (shown = ""): SeenLine => ({ line: `${shown}${masked}`, secret: true });
