import {
  ConfigurationError,
  type Host,
  type Mechanism,
  type Problem,
  type Reply,
  type Session,
  defer,
  definePlugin,
} from "@mailhost/core";
import * as v from "valibot";
import { readPlain } from "./plain.ts";
import { UserStore } from "./store.ts";
import { Turns } from "./turns.ts";

export { removeUser, setUser, type SetUserOptions } from "./edit.ts";
export { hashPassword, type Scheme, type ScryptCost, type StoredHash } from "./hash.ts";
export { listUsers, readUsers, UsersFileError, type Users, type UsersFileFault } from "./users-file.ts";

/** True for the right password. What it throws, or anything that is no boolean, is 451: nobody's fault but ours. */
export type Verify = (username: string, password: string, remoteAddress: string) => boolean | Promise<boolean>;

/** Exactly one of `users` and `verify`. */
export interface AuthPlainOptions {
  /** Path of a password file, read from the working directory. */
  readonly users?: string | undefined;
  /** Asks a program's own user base. */
  readonly verify?: Verify | undefined;
  /** Offers AUTH PLAIN in clear too: the password can be read on the way. */
  readonly allowInsecure?: boolean | undefined;
  /** No MAIL without AUTH; true on submission listeners, false on transfer, unless told otherwise. */
  readonly required?: boolean | undefined;
  /** Milliseconds before the first failure of a session is answered, twice as many before the next; 1000 unless told otherwise. */
  readonly failureDelay?: number | undefined;
  /** Milliseconds a check may take before the answer is 451; the listener's `timeouts.tap` unless told otherwise. */
  readonly deadline?: number | undefined;
}

const longestDelay = 10_000;

const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(0));
const schema = v.strictObject({
  users: v.optional(v.pipe(v.string(), v.nonEmpty("a path is needed"))),
  verify: v.optional(v.custom<Verify>((value) => typeof value === "function", "a function is needed")),
  allowInsecure: v.optional(v.boolean()),
  required: v.optional(v.boolean()),
  failureDelay: v.optional(v.pipe(milliseconds, v.maxValue(longestDelay, `at most ${longestDelay} ms`))),
  deadline: v.optional(v.pipe(milliseconds, v.minValue(1))),
});

/** RFC 4954 §6. */
const authRequired: Reply = { code: 530, status: "5.7.0", text: "Authentication required" };
const busy = defer("Temporary authentication failure", { code: 454, status: "4.7.0" });

/** Half of the threads Node has for hashes, the other half stays for files. With 0.2 s a hash the last waits some seconds. */
const turnLimits = { atOnce: 2, waiting: 100, waitingPerClient: 10 };

/** Whether a password is right; undefined when there were too many to check. `known` is for the log alone. */
type Check = (
  username: string,
  password: string,
  client: string,
  signal: AbortSignal,
) => Promise<{ readonly right: boolean; readonly known: boolean } | undefined>;

/** AUTH PLAIN (RFC 4954, RFC 4616) with a password file or a function. Other mechanisms' passwords are checked too. */
export const authPlain = definePlugin<AuthPlainOptions>({
  name: "auth-plain",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, options) {
    const { allowInsecure = false, required = host.listener.mode === "submission", failureDelay = 1000 } = options;
    const check = await makeCheck(host, options);
    host.extend({
      mechanisms: [plain(allowInsecure)],
      ...(required
        ? { gate: (verb, { identity }) => (verb === "MAIL" && identity === undefined ? authRequired : undefined) }
        : {}),
    });
    const delayOf = makeDelay(failureDelay);
    const deadline = options.deadline === undefined ? {} : { deadline: options.deadline + longest(failureDelay) };
    host.hooks.auth.tapPromise({ name: "auth-plain", ...deadline }, async (credentials, session, signal) => {
      if (credentials.kind !== "password") return;
      const { username, password } = credentials;
      const { address: client } = session.client;
      const checked = await check(username, password, client, signal);
      if (checked === undefined) return busy;
      if (checked.right) return credentials.identify({ name: username });
      // A name nobody has may be a password in the wrong field
      const user = checked.known ? { user: username } : {};
      host.log.info({ session: session.id, client, ...user }, `authentication failed for ${client}`);
      await pause(host, delayOf(session), signal);
    });
  },
});

export default authPlain;

const plain = (allowInsecure: boolean): Mechanism => ({
  name: "PLAIN",
  offered: ({ tls }) => allowInsecure || tls !== undefined,
  // RFC 4954 §4: without an initial response the challenge is empty
  start: (initial) => (initial === undefined ? { challenge: new Uint8Array(0), next: readPlain } : readPlain(initial)),
});

async function makeCheck(host: Host, { users, verify }: AuthPlainOptions): Promise<Check> {
  if (users !== undefined && verify === undefined) return checkFile(host, users);
  if (verify !== undefined && users === undefined) return checkWith(verify);
  const mend = "Set users to a password file, or verify to a function.";
  const what =
    users === undefined ? "auth-plain knows nobody's password" : "auth-plain has both a password file and a function";
  throw misconfigured({ code: "BAD_OPTION", where: "options", what, mend });
}

async function checkFile(host: Host, path: string): Promise<Check> {
  const store = await host.shared(`users ${path}`, () => new UserStore(path, host.log));
  const turns = await host.shared("turns", () => new Turns(turnLimits));
  const error = await store.refresh();
  if (error !== undefined)
    throw misconfigured({ code: "BAD_FILE", where: "options.users", what: error.message, mend: error.mend });
  return (username, password, client, signal) =>
    turns.take(client, signal, async () => {
      await store.current();
      return { right: await store.matches(username, password), known: store.has(username) };
    });
}

const checkWith =
  (verify: Verify): Check =>
  async (username, password, client) => {
    const right: unknown = await verify(username, password, client);
    // A record, or a promise in a list, would let everybody in
    if (typeof right !== "boolean") throw new TypeError(`verify must give a boolean, not ${typeof right}`);
    return { right, known: false };
  };

const misconfigured = (problem: Problem): ConfigurationError => new ConfigurationError([problem]);

/** Most times the first delay. */
const mostRise = 4;

const longest = (failureDelay: number): number => Math.min(mostRise * failureDelay, longestDelay);

/** Who guesses on waits longer each time. */
function makeDelay(failureDelay: number): (session: Session) => number {
  const next = new WeakMap<Session, number>();
  return (session) => {
    const delay = next.get(session) ?? failureDelay;
    next.set(session, Math.min(2 * delay, longest(failureDelay)));
    return delay;
  };
}

const pause = ({ clock }: Host, delay: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (delay === 0 || signal.aborted) return resolve();
    const cancel = clock.after(delay, resolve);
    signal.addEventListener("abort", () => {
      cancel();
      resolve();
    });
  });
