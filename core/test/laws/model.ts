// The order rules of SMTP as one would tell them to somebody: written from the text of RFC 5321, 2920, 3207 and 4954, and,
// where those leave a choice, from docs/protocol.md, docs/limits.md and docs/decisions. It shares nothing with core.

/** What a client may say, one name for each kind of thing. */
export const utterances = [
  "EHLO",
  "HELO",
  "EHLO without a name",
  "MAIL",
  "MAIL from nobody",
  "MAIL in bad syntax",
  "MAIL with an unknown parameter",
  "MAIL too big",
  "RCPT",
  "RCPT another",
  "RCPT refused",
  "RCPT in bad syntax",
  "DATA",
  "DATA that a plugin refuses",
  "DATA with a lone LF",
  "DATA with an argument",
  "RSET",
  "RSET with an argument",
  "NOOP",
  "VRFY",
  "VRFY nothing",
  "EXPN",
  "HELP",
  "AUTH",
  "AUTH in two steps",
  "AUTH wrong",
  "AUTH for somebody else",
  "AUTH cancelled",
  "AUTH not base64",
  "AUTH by an unknown mechanism",
  "STARTTLS",
  "STARTTLS with an argument",
  "STARTTLS and more at once",
  "unknown verb",
  "empty line",
  "line too long",
  "line without CR",
  "QUIT",
  "QUIT with an argument",
] as const;

export type Utterance = (typeof utterances)[number];

/** How the server is set up. Counts are those at which the last word is said. */
export interface Rules {
  readonly errors: number;
  readonly unknownCommands: number;
  readonly authFailures: number;
  /** RFC 3207 §4: 530 to all that needs TLS. */
  readonly needsTls: boolean;
  /** RFC 4954 §6: 530 to MAIL. */
  readonly needsAuth: boolean;
  /** RFC 6409 §8: a lone LF in a body is mended, not refused. */
  readonly mends: boolean;
}

/** Where a dialogue stands, as far as an answer can depend on it. */
export interface State {
  readonly phase: "new" | "ready" | "mail" | "rcpt" | "closed";
  /** EHLO, not HELO. */
  readonly extended: boolean;
  readonly tls: boolean;
  readonly authenticated: boolean;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly errors: number;
  readonly unknownCommands: number;
  readonly authFailures: number;
}

/** A message that must have arrived. */
export interface Delivered {
  readonly sender: string;
  readonly recipients: readonly string[];
  /** RFC 3848. */
  readonly with: string;
}

/** The codes in order, a dot for a digit that is the server's choice; what is delivered; where that leads. */
export interface Answer {
  readonly codes: readonly string[];
  readonly delivered?: Delivered;
  readonly state: State;
}

export const start: State = {
  phase: "new",
  extended: false,
  tls: false,
  authenticated: false,
  sender: "",
  recipients: [],
  errors: 0,
  unknownCommands: 0,
  authFailures: 0,
};

const jane = "jane@example.com";
const joe = "joe@example.com";
const jack = "jack@example.com";

/** What the server answers to `said`, and where the dialogue stands then. */
export function answer(state: State, said: Utterance, rules: Rules): Answer {
  const say = (code: string, next: State = state): Answer => ({ codes: [code], state: next });
  const error = (code: string): Answer => counted(state, ["errors"], rules, [code]);

  // What is no command at all is judged before anything else
  if (said === "unknown verb" || said === "empty line")
    return counted(state, ["unknownCommands", "errors"], rules, ["500"]); // §4.2.4
  if (said === "line too long" || said === "line without CR") return error("500"); // §4.5.3.1.4, §2.3.8, decision 1

  const verb = said.slice(0, /\W|$/.exec(said)?.index);
  const inClear = ["EHLO", "HELO", "NOOP", "STARTTLS", "QUIT"]; // RFC 3207 §4, and HELO
  const barred =
    (rules.needsTls && !state.tls && !inClear.includes(verb)) ||
    (rules.needsAuth && !state.authenticated && verb === "MAIL");
  if (barred) return error("530");

  // Order is judged before syntax. §4.1.4: these may come at any time
  const anyTime = ["EHLO", "HELO", "NOOP", "RSET", "VRFY", "EXPN", "HELP", "QUIT"];
  const inTransaction = state.phase === "mail" || state.phase === "rcpt";
  if (!anyTime.includes(verb)) {
    if (said === "STARTTLS and more at once" && state.phase !== "ready") return then(error("503"), "NOOP", rules);
    if (state.phase === "new") return error("503"); // §4.1.4: EHLO first
    if (verb === "MAIL" && inTransaction) return error("503"); // §4.1.4: not nested
    if ((verb === "RCPT" || verb === "DATA") && !inTransaction) return error("503"); // §3.3
    if (verb === "AUTH" && inTransaction) return error("503"); // RFC 4954 §4
    if (verb === "STARTTLS" && inTransaction) return error("503");
  }

  const idle: State = { ...state, phase: "ready", sender: "", recipients: [] };
  switch (said) {
    case "EHLO": // §4.1.4: ends an open transaction
      return say("250", { ...idle, extended: true });
    case "HELO":
      return say("250", { ...idle, extended: false });
    case "EHLO without a name":
      return error("501");

    case "MAIL":
      return say("250", { ...idle, phase: "mail", sender: jane });
    case "MAIL from nobody":
      return say("250", { ...idle, phase: "mail", sender: "" });
    case "MAIL in bad syntax":
      return error("501");
    case "MAIL with an unknown parameter": // §4.1.1.11
      return error("555");
    case "MAIL too big": // RFC 1870 §6.1: nothing is wrong with the command
      return say("552");

    case "RCPT":
      return say("250", { ...state, phase: "rcpt", recipients: withRecipient(state, joe) });
    case "RCPT another":
      return say("250", { ...state, phase: "rcpt", recipients: withRecipient(state, jack) });
    case "RCPT refused": // §3.3: the transaction goes on
      return say("550");
    case "RCPT in bad syntax":
      return error("501");

    case "DATA":
    case "DATA that a plugin refuses":
    case "DATA with a lone LF": {
      if (state.phase === "mail") return say("554"); // §3.3: no valid recipients
      if (said === "DATA that a plugin refuses") return { codes: ["354", "554"], state: idle };
      if (said === "DATA with a lone LF" && !rules.mends) return { codes: ["354", "55."], state: idle };
      return { codes: ["354", "250"], delivered: message(state), state: idle }; // §4.1.1.4: it ends the transaction
    }
    case "DATA with an argument":
      return error("501");

    case "RSET": // §4.1.1.5: without effect where there is no transaction
      return say("250", inTransaction ? idle : state);
    case "NOOP":
      return say("250");
    case "VRFY": // §3.5.3
      return say("252");
    case "EXPN": // docs/protocol.md
      return say("502");
    case "HELP":
      return say("214");
    case "VRFY nothing":
    case "RSET with an argument":
    case "QUIT with an argument":
      return error("501");

    case "AUTH":
    case "AUTH in two steps":
    case "AUTH wrong":
    case "AUTH for somebody else":
    case "AUTH cancelled":
    case "AUTH not base64":
    case "AUTH by an unknown mechanism":
      return authenticate(state, said, rules);

    case "STARTTLS":
      if (state.tls) return error("503");
      return say("220", { ...forgotten(state), tls: true }); // RFC 3207 §4.2: all that was said before is forgotten
    case "STARTTLS with an argument":
      return error("501"); // RFC 3207 §4
    case "STARTTLS and more at once": // CVE-2011-0411: what comes in clear never runs inside TLS
      return state.tls ? then(error("503"), "NOOP", rules) : say("503", { ...state, phase: "closed" });

    case "QUIT":
      return say("221", { ...state, phase: "closed" });
  }
}

function authenticate(state: State, said: Utterance, rules: Rules): Answer {
  if (state.authenticated) return counted(state, ["errors"], rules, ["503"]); // RFC 4954 §4: once
  switch (said) {
    case "AUTH":
      return { codes: ["235"], state: { ...state, authenticated: true } };
    case "AUTH in two steps":
      return { codes: ["334", "235"], state: { ...state, authenticated: true } };
    case "AUTH wrong":
    case "AUTH for somebody else": // RFC 4616 §2
      return counted(state, ["authFailures"], rules, ["535"]);
    case "AUTH cancelled":
      return counted(state, ["errors"], rules, ["334", "501"]);
    case "AUTH by an unknown mechanism":
      return counted(state, ["errors"], rules, ["504"]);
    default:
      return counted(state, ["errors"], rules, ["501"]);
  }
}

/** Something of the client's that is bounded. docs/limits.md: one too many is answered 421, and the dialogue is over. */
function counted(
  state: State,
  counters: readonly ("errors" | "unknownCommands" | "authFailures")[],
  rules: Rules,
  codes: readonly string[],
): Answer {
  const next = { ...state };
  for (const counter of counters) {
    if (rules[counter] === Infinity) continue;
    next[counter] += 1;
    if (next[counter] >= rules[counter])
      return { codes: [...codes.slice(0, -1), "421"], state: { ...next, phase: "closed" } };
  }
  return { codes, state: next };
}

/** One thing said, and another right behind it. */
function then(first: Answer, said: Utterance, rules: Rules): Answer {
  if (first.state.phase === "closed") return first;
  const second = answer(first.state, said, rules);
  return { ...second, codes: [...first.codes, ...second.codes] };
}

/** Decision 3: the same recipient twice gets one copy. */
const withRecipient = ({ recipients }: State, one: string): string[] => [...new Set([...recipients, one])].toSorted();

/** All but what was counted. */
const forgotten = ({ errors, unknownCommands, authFailures }: State): State => ({
  ...start,
  errors,
  unknownCommands,
  authFailures,
});

const message = ({ sender, recipients, extended, tls, authenticated }: State): Delivered => ({
  sender,
  recipients,
  with: extended ? `ESMTP${tls ? "S" : ""}${authenticated ? "A" : ""}` : "SMTP",
});
