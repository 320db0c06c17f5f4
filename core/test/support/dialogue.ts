import {
  type DialogueOptions,
  type Engine,
  type Host,
  type Log,
  type Mailhost,
  type MailhostOptions,
  type Plugin,
  type PluginDefinition,
  definePlugin,
  mailhost,
} from "@mailhost/core";
import { MemoryWire } from "@mailhost/testkit";
import { onTestFinished } from "vitest";

/** A log that keeps its lines. */
export function recorder(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (_fields: object, message: string) => void lines.push(`${level}: ${message}`);
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

type Rest = Partial<Omit<PluginDefinition<Record<string, never>>, "apply">>;

/** A plugin in one line. */
export const plugin = (name: string, apply: (host: Host) => void | Promise<void>, rest: Rest = {}): Plugin =>
  definePlugin({ name, version: "1.0.0", core: "^1.0.0", ...rest, apply })();

/** A dialogue over a wire in memory, for what a transcript cannot show. */
export interface Dialogue {
  readonly server: Mailhost;
  readonly wire: MemoryWire;
  readonly engine: Engine;
  /** Sends lines, each with its CRLF, in one piece. */
  readonly say: (...lines: string[]) => void;
  /** Sends octets as they are, one character per octet. */
  readonly send: (text: string) => void;
  /** The lines that came since the last time, once there are `count` of them or the connection is closed. */
  readonly hear: (count?: number) => Promise<string[]>;
}

export async function open(options: MailhostOptions, more: DialogueOptions = {}): Promise<Dialogue> {
  const server = mailhost({ name: "mx.example.com", log: recorder(), ...options });
  await server.prepare();
  const held = hold(server, more);
  onTestFinished(async () => {
    held.engine.gone("end of the test");
    await server.close();
  });
  return held;
}

/** One more dialogue with a server that is prepared. */
export function hold(server: Mailhost, more: DialogueOptions = {}): Dialogue {
  const wire = new MemoryWire();
  const peer = { client: { address: "192.0.2.1", port: 40000 }, local: { address: "192.0.2.25", port: 25 } };
  const engine = server.dialogue(wire, { peer, ...more });
  wire.attach(engine);
  engine.start();
  let heard = 0;
  const send = (text: string): void => engine.receive(new Uint8Array(Buffer.from(text, "latin1")));
  return {
    server,
    wire,
    engine,
    send,
    say: (...lines) => send(lines.map((line) => `${line}\r\n`).join("")),
    async hear(count = 0) {
      while (wire.lines.length < heard + count && !wire.ended) await wire.changed(5000);
      if (count === 0) await turn();
      const got = wire.lines.slice(heard);
      heard = wire.lines.length;
      return got;
    },
  };
}

/** Lets everything run that waits for no timer and no disk. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** The dialogue up to an open transaction. */
export const opened = ["EHLO client.test", "MAIL FROM:<jane@example.com>"] as const;
