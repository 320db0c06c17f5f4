import { type MailhostOptions, mailhost } from "@mailhost/core";
import { type ScriptLine, inGroups, readScript } from "./script.ts";
import { MemoryWire } from "./wire.ts";

/** The server a transcript is held with, and who holds it. */
export interface TranscriptOptions extends MailhostOptions {
  /** Address of the client; 192.0.2.1 unless told otherwise. */
  readonly client?: string;
  /** Milliseconds to wait for a line of the server; 2000 unless told otherwise. */
  readonly patience?: number;
  /** Called after the dialogue, before the server closes, once per way of cutting. */
  readonly afterwards?: (way: Way) => void | Promise<void>;
}

/** How the client's octets are cut. */
export type Way = "lines" | "groups" | "octets";

const ways: readonly Way[] = ["lines", "groups", "octets"];

/** A dialogue that went otherwise than its transcript says. */
export class TranscriptError extends Error {
  override readonly name = "TranscriptError";
}

/**
 * Holds a dialogue with a server in memory three ways: line by line, in legal pipelined groups, octet by octet.
 * Options may be a function: it is then called once for each way. Rejects with a TranscriptError that shows the dialogue.
 */
export async function transcript(options: TranscriptOptions | (() => TranscriptOptions), text: string): Promise<void> {
  const script = readScript(text);
  for (const way of ways) await hold(typeof options === "function" ? options() : options, script, way);
}

async function hold(options: TranscriptOptions, script: readonly ScriptLine[], way: Way): Promise<void> {
  const { client = "192.0.2.1", patience = 2000, afterwards, ...rest } = options;
  const server = mailhost({ name: "mx.example.com", ...rest });
  await server.prepare();
  const wire = new MemoryWire();
  const peer = { client: { address: client, port: 40000 }, local: { address: "192.0.2.25", port: 25 } };
  const engine = server.dialogue(wire, { peer });
  wire.attach(engine);
  const said: string[] = [];
  const fail = (what: string): never => {
    throw new TranscriptError(`${way}: ${what}\n${said.map((line) => `  ${line}`).join("\n")}`);
  };
  try {
    engine.start();
    let heard = 0;
    const group: Uint8Array[] = [];
    const send = (): void => {
      for (const octets of cut(group, way)) if (!wire.ended) engine.receive(octets);
      group.length = 0;
    };
    for (const line of way === "groups" ? inGroups(script) : script) {
      if (line.who === "client") {
        group.push(line.octets);
        said.push(`C: ${line.text}`);
        if (way !== "groups") send();
        continue;
      }
      send();
      if (line.who === "server") {
        await until(() => wire.lines.length > heard || wire.ended, wire, patience);
        const got = wire.lines[heard];
        heard += 1;
        said.push(`S: ${got ?? (wire.ended ? "<close>" : "<silence>")}`);
        if (got === undefined || !matches(line.pattern, got)) fail(`expected S: ${line.pattern}`);
      } else if (line.by === "client") {
        engine.gone("disconnected");
      } else {
        await until(() => wire.ended, wire, patience);
        if (!wire.ended) fail("the server did not close");
      }
    }
    send();
    await new Promise((resolve) => setImmediate(resolve));
    const more = wire.lines.slice(heard);
    if (more.length > 0) fail(`the server also said\n${more.map((line) => `  S: ${line}`).join("\n")}`);
    await afterwards?.(way);
  } finally {
    engine.gone("end of the transcript");
    await server.close();
  }
}

/** A wire may be cut anywhere; groups leave in one piece. */
function cut(group: readonly Uint8Array[], way: Way): Uint8Array[] {
  const octets = Uint8Array.from(group.flatMap((one) => [...one]));
  if (way !== "octets") return octets.length === 0 ? [] : [octets];
  return Array.from(octets, (octet) => Uint8Array.of(octet));
}

const matches = (pattern: string, line: string): boolean =>
  pattern.endsWith("*") ? line.startsWith(pattern.slice(0, -1)) : line === pattern;

async function until(holds: () => boolean, wire: MemoryWire, milliseconds: number): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!holds() && Date.now() < end) await wire.changed(end - Date.now());
}
