import type { DialogueOptions, Engine, Mailhost, Upgrade, Wire } from "@mailhost/core";
import { SmtpClient, type SmtpClientOptions } from "../smtp/client.ts";

/** A dialogue with a server in memory: no socket, nothing delivered. */
export interface MemoryDialogue {
  readonly client: SmtpClient;
  /** Called at the end, whatever happened. */
  readonly hangUp: () => void;
}

/** Connects to a listener of a prepared server. What is accepted is staged and aborted. */
export function talkTo(
  server: Mailhost,
  dialogue: Omit<DialogueOptions, "dryRun">,
  options: SmtpClientOptions,
): MemoryDialogue {
  const wire = new MemoryWire();
  const engine = server.dialogue(wire, { ...dialogue, dryRun: true });
  const client = new SmtpClient({ send: (octets) => engine.receive(octets) }, options);
  wire.attach(engine, client);
  engine.start();
  return { client, hangUp: () => engine.gone("disconnected") };
}

/** Octets go straight to the client. TLS always succeeds, and octets stay in clear. */
class MemoryWire implements Wire {
  #engine: Engine | undefined;
  #client: SmtpClient | undefined;

  attach(engine: Engine, client: SmtpClient): void {
    this.#engine = engine;
    this.#client = client;
  }

  write(octets: Uint8Array): boolean {
    const copy = Uint8Array.from(octets);
    queueMicrotask(() => this.#client?.heard(copy));
    return true;
  }

  end(): void {
    queueMicrotask(() => this.#client?.closed("the server hung up"));
  }

  pause(): void {}

  resume(): void {}

  upgrade(_upgrade: Upgrade): void {
    queueMicrotask(() => this.#engine?.secured({ protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" }));
  }
}

/** Says EHLO, and goes on under TLS where that is offered. */
export async function greet(client: SmtpClient, helo: string, tls: boolean): Promise<void> {
  const greeting = await client.reply();
  if (greeting.code !== 220) return;
  const ehlo = await client.command(`EHLO ${helo}`);
  if (!tls || !ehlo.lines.some((line) => /^250[ -]STARTTLS$/i.test(line))) return;
  const ready = await client.command("STARTTLS");
  if (ready.code === 220) await client.command(`EHLO ${helo}`);
}
