import { type Delivery, type Plugin, type Session, type TraceEvent, definePlugin, formatAddress } from "@mailhost/core";
import type { Dialogues } from "./dialogue.ts";
import type { Journal } from "./journal.ts";
import { type InboxMessage, readMessage } from "./message.ts";

const CR = 13;

/** Takes mail for everybody, and notes who is refused and how connections end. */
export const storagePlugin = (dialogues: Dialogues, journal: Journal, keep: (message: InboxMessage) => void): Plugin =>
  definePlugin({
    name: "inbox",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      const { hooks } = host;
      host.extend({ transports: [{ kind: "local", phases: "two" }] });
      hooks.rcpt.tap("inbox", (recipient) => {
        recipient.permit("local");
        recipient.routeTo({ transport: host.name });
      });
      hooks.queue.for(host.name).tapPromise("inbox", async (delivery, session) => {
        const message = await receive(delivery, session, dialogues);
        delivery.stage({ commit: () => keep(message), abort: () => {} });
      });
      hooks.trace.tap("inbox", (event) => watch(event, dialogues, journal));
    },
  })();

function watch(event: TraceEvent, dialogues: Dialogues, journal: Journal): void {
  if (event.type === "open") journal.client();
  if (event.type !== "server" && event.type !== "delivered" && event.type !== "close") return;
  const dialogue = dialogues.of(event.session);
  const { said, answered, came, transaction } = dialogue;
  const whose = said === "DATA" && transaction !== undefined ? ` for ${recipientsOf(transaction).join(", ")}` : "";
  const what = said === "" ? "connected" : `${said}${whose}`;
  if (event.type === "close") {
    if (!came) journal.note(`${what} -> ${answered === "" ? "(no answer)" : answered}, then ${event.reason}`);
    return;
  }
  if (event.type === "server") dialogue.answered = event.line;
  const refused = event.type === "server" && /^[45]/.test(event.line);
  if (refused) journal.note(`${what} -> ${event.line}`);
  dialogue.came ||= refused || event.type === "delivered";
}

async function receive(delivery: Delivery, session: Session, dialogues: Dialogues): Promise<InboxMessage> {
  const { message, reversePath } = delivery;
  const { auth, firstOctet } = dialogues.of(session);
  const octets = await message.bytes();
  const handover = {
    id: delivery.id,
    receivedAt: new Date(),
    from: reversePath === null ? "" : formatAddress(reversePath),
    to: recipientsOf(delivery),
    client: { ...session.client, name: session.greeting?.name ?? "" },
    auth: session.identity === undefined ? undefined : auth,
    tls: session.tls,
  };
  return readMessage(handover, octets.subarray(added(message, firstOctet)));
}

const recipientsOf = ({ recipients }: Pick<Delivery, "recipients">): string[] =>
  recipients.map(({ address }) => formatAddress(address));

/** Octets of core's Received on top, and of the empty line that keeps content without a header from joining it. */
function added({ fields }: Delivery["message"], firstOctet: number | undefined): number {
  const received = fields[0]?.raw.length ?? 0;
  return fields.length === 1 && firstOctet !== CR ? received + 2 : received;
}
