import {
  type Command,
  type Exchange,
  type Mechanism,
  type Outcome,
  type Plugin,
  type Reply,
  type Session,
  type Step,
  type Upgrade,
  definePlugin,
  last,
  nobody,
  replies,
} from "@mailhost/core";
import type { Dialogues } from "./dialogue.ts";

/** Who may hand mail in. */
export interface AuthOptions {
  /** Passwords by user name; any name with any password unless told otherwise. */
  readonly users?: Readonly<Record<string, string>>;
  /** No MAIL without AUTH; true when there are `users`, unless told otherwise. */
  readonly required?: boolean;
}

/** `starttls` is offered, `required` refuses mail in clear, `implicit` speaks TLS from the first octet. */
export type TlsMode = "starttls" | "required" | "implicit";

// RFC 3207 §4, RFC 4954 §6
const ready: Reply = { code: 220, status: "2.0.0", text: "Ready to start TLS" };
const alreadySecure: Reply = { code: 503, status: "5.5.1", text: "TLS is already there" };
const needsTls: Reply = { code: 530, status: "5.7.0", text: "Must issue a STARTTLS command first" };
const needsAuth: Reply = { code: 530, status: "5.7.0", text: "Authentication required" };

const verbsInClear = new Set(["EHLO", "HELO", "NOOP", "STARTTLS", "QUIT"]);

/** The wire of an inbox knows one upgrade. */
const upgrade: Upgrade = { upgrade: "tls" };

/** STARTTLS, implicit TLS, AUTH PLAIN and AUTH LOGIN as a test needs them: in clear too, and without a password file. */
export const securityPlugin = (tls: TlsMode | undefined, auth: AuthOptions | undefined, dialogues: Dialogues): Plugin =>
  definePlugin({
    name: "inbox-security",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      if (tls === "implicit") host.extend({ preamble: { kind: "upgrade", upgrade } });
      else if (tls !== undefined)
        host.extend({
          keywords: { STARTTLS: (session) => (session.tls === undefined ? "" : undefined) },
          verbs: { STARTTLS: startTls },
        });
      if (tls === "required")
        host.extend({
          gate: (verb, session) => (session.tls === undefined && !verbsInClear.has(verb) ? needsTls : undefined),
        });
      if (auth === undefined) return;
      host.extend({ mechanisms: [plain, login] });
      if (auth.required ?? auth.users !== undefined)
        host.extend({
          gate: (verb, { identity }) => (verb === "MAIL" && identity === undefined ? needsAuth : undefined),
        });
      host.hooks.auth.tap("inbox-security", (credentials, session) => {
        if (credentials.kind !== "password" || !admits(auth, credentials.username, credentials.password)) return;
        dialogues.of(session).auth = { username: credentials.username, password: credentials.password };
        credentials.identify({ name: credentials.username });
      });
    },
  })();

const admits = ({ users }: AuthOptions, username: string, password: string): boolean =>
  users === undefined || (Object.hasOwn(users, username) && users[username] === password);

const startTls: Command = last(
  ["ready"],
  (argument): Outcome<undefined> => (argument === "" ? { value: undefined } : { problem: replies.noArgument }),
  nobody,
  (state, _argument, { session }: { session: Session }): Step =>
    session.tls === undefined ? { go: "upgrade", reply: ready, upgrade } : { go: "on", reply: alreadySecure, state },
);

const malformed: Reply = { code: 501, status: "5.5.2", text: "Malformed credentials" };
const utf8 = new TextDecoder();
const encoder = new TextEncoder();

const password = (username: string, secret: string): Exchange =>
  username === "" ? { refuse: malformed } : { credentials: { kind: "password", username, password: secret } };

const readPlain = (octets: Uint8Array): Exchange => {
  const [, username, secret, ...more] = utf8.decode(octets).split("\0");
  return username === undefined || secret === undefined || more.length > 0
    ? { refuse: malformed }
    : password(username, secret);
};

/** RFC 4616. */
const plain: Mechanism = {
  name: "PLAIN",
  start: (initial) => (initial === undefined ? { challenge: new Uint8Array(0), next: readPlain } : readPlain(initial)),
};

/** No RFC; some send the name with the command. */
const login: Mechanism = {
  name: "LOGIN",
  start: (initial) => {
    const askPassword = (name: Uint8Array): Exchange => ({
      challenge: encoder.encode("Password:"),
      next: (secret) => password(utf8.decode(name), utf8.decode(secret)),
    });
    return initial === undefined ? { challenge: encoder.encode("Username:"), next: askPassword } : askPassword(initial);
  },
};
