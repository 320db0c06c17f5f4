import { type Log, type Session, type TraceEvent, replyLines, printable } from "@mailhost/core";

/** What is known of a session's transaction, and of the command that waits for its reply. */
interface Seen {
  /** MAIL and RCPT whole, of other commands the verb. */
  command: string;
  /** The plugin that refused the command, or failed. */
  plugin: string | undefined;
  /** Lines of a reply whose last one is still to come. */
  reply: string[];
  /** The reply that comes is logged already. */
  told: boolean;
  /** As MAIL wrote it, `<>` for none. */
  sender: string;
  transaction: string | undefined;
  recipients: string[];
  octets: number;
}

const nothingYet: Omit<Seen, "reply" | "recipients"> = {
  command: "",
  plugin: undefined,
  told: false,
  sender: "<>",
  transaction: undefined,
  octets: 0,
};

/**
 * Watches for whoever runs the server: one line for every message that is taken, and one for every reply of 4yz or 5yz,
 * with the plugin that said so. Never shown is what may be a secret: bodies, AUTH, and lines that are no commands.
 */
export function mailLog(log: Log): (event: TraceEvent) => void {
  // Weak: a message may outlive its connection, and a handshake makes a new session
  const sessions = new WeakMap<Session, Seen>();
  return (event) => {
    const { session } = event;
    const seen = sessions.get(session) ?? { ...nothingYet, reply: [], recipients: [] };
    sessions.set(session, seen);
    if (event.type === "server") hear(log, session, seen, event.line);
    else if (event.type === "delivered") {
      seen.told = true;
      seen.transaction = event.transaction;
      if (event.reply.code < 400) logTaken(log, session, seen);
      else logRefused(log, session, seen, joined(replyLines(event.reply)), `message ${event.transaction}`);
    } else notice(seen, event);
  };
}

function notice(seen: Seen, event: TraceEvent): void {
  switch (event.type) {
    case "client":
      seen.plugin = undefined;
      seen.command = event.secret ? "AUTH" : isMail(event.line) ? event.line : (event.line.split(/[ \t]/, 1)[0] ?? "");
      break;
    case "tap":
      if (event.outcome.kind === "refused" || event.outcome.kind === "failed") seen.plugin ??= event.plugin;
      seen.transaction = event.transaction ?? seen.transaction;
      break;
    case "route":
      seen.recipients.push(`${event.recipient} (${event.transport})`);
      break;
    case "body":
      seen.octets += event.count;
      break;
    default:
  }
}

const isMail = (line: string): boolean => /^(?:MAIL\s+FROM|RCPT\s+TO)\s*:/i.test(line);

/** A line of the server: its reply is judged when it is whole. */
function hear(log: Log, session: Session, seen: Seen, line: string): void {
  seen.reply.push(line);
  if (line[3] === "-") return;
  const reply = joined(seen.reply);
  seen.reply = [];
  if (reply.startsWith("3")) return; // the command goes on
  if (/^[45]/.test(reply)) {
    if (!seen.told) logRefused(log, session, seen, reply, subjectOf(seen.command, reply));
  } else if (/^MAIL/i.test(seen.command)) {
    const sender = /<[^>]*>/.exec(seen.command)?.[0] ?? "<>";
    Object.assign(seen, { sender, transaction: undefined, recipients: [], octets: 0 });
  }
  Object.assign(seen, { command: "", plugin: undefined, told: false });
}

const joined = ([first = "", ...more]: readonly string[]): string =>
  [first, ...more.map((line) => line.slice(4))].join(" ");

/** What was refused. The first word of a line that is no command may be a word of a body, or a password. */
function subjectOf(command: string, reply: string): string {
  if (isMail(command)) return command;
  if (reply.startsWith("421")) return "the session";
  if (reply.startsWith("500")) return "a line";
  return command === "" ? "the connection" : command.toUpperCase();
}

function logTaken(log: Log, session: Session, { transaction = "", sender, recipients, octets }: Seen): void {
  const to = recipients.length > 3 ? [...recipients.slice(0, 2), `${recipients.length - 2} more`] : recipients;
  const fields = { ...about(session), transaction, sender, recipients, octets };
  log.info(fields, printable(`took message ${transaction} from ${sender} to ${to.join(", ")}`));
}

function logRefused(log: Log, session: Session, seen: Seen, reply: string, subject: string): void {
  const { plugin, sender, transaction } = seen;
  const said = subject === "the session" ? "closed" : reply.startsWith("4") ? "deferred" : "refused";
  const fields = {
    ...about(session),
    ...(/^(?:RCPT|message)\b/i.test(subject) ? { transaction, sender } : {}),
    reply,
    ...(plugin === undefined ? {} : { plugin }),
  };
  const by = plugin === undefined ? "" : ` (${plugin})`;
  log.info(fields, printable(`${said} ${subject} of ${session.client.address}: ${reply}${by}`));
}

const about = ({ id, client, listener, identity }: Session): object => ({
  session: id,
  listener,
  client: client.address,
  ...(identity === undefined ? {} : { user: identity.name }),
});
