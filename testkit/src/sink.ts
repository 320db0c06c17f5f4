import { latin1 } from "./latin1.ts";
import { type Plugin, type Transaction, definePlugin, formatAddress } from "@mailhost/core";

/** A message that was delivered to a sink. */
export interface SunkMessage {
  readonly id: string;
  readonly reversePath: string;
  readonly recipients: readonly string[];
  /** CRLF line ends, trace fields on top. One character per octet. */
  readonly text: string;
  readonly transaction: Transaction;
}

export interface SinkOptions {
  /** Permits and routes every recipient: for servers whose rules are not what is tested. */
  readonly everything?: boolean;
}

/** A local transport named `sink` that keeps messages in memory. */
export function sink({ everything = true }: SinkOptions = {}): Plugin & { readonly messages: SunkMessage[] } {
  const messages: SunkMessage[] = [];
  const make = definePlugin({
    name: "sink",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({ transports: [{ kind: "local", phases: "two" }] });
      if (everything)
        host.hooks.rcpt.tap("sink", (recipient) => {
          recipient.permit("local");
          recipient.routeTo({ transport: host.name });
        });
      host.hooks.queue.for(host.name).tapPromise("sink", async (delivery) => {
        const text = latin1(await delivery.message.bytes());
        const { id, reversePath, transaction } = delivery;
        const recipients = delivery.recipients.map(({ address }) => formatAddress(address));
        const message = {
          id,
          reversePath: reversePath === null ? "" : formatAddress(reversePath),
          recipients,
          text,
          transaction,
        };
        delivery.stage({ commit: () => void messages.push(message), abort: () => {} });
      });
    },
  });
  return Object.assign(make(), { messages });
}
