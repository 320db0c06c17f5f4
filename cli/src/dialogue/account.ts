import type { TraceEvent } from "@mailhost/core";
import { Collector, type Waterfall, formatWaterfall } from "@mailhost/plugin-waterfall";
import { paint } from "../report.ts";
import { proveCommand } from "./watcher.ts";

/** Tells of one dialogue. */
export interface Account {
  see(event: TraceEvent): void;
  /** The dialogue is over. `taken`: the message was accepted for every recipient; undefined when it came to no end. */
  end(taken: boolean | undefined): void;
}

/** A line, and who said it. `tls`: the handshake. */
interface Said {
  readonly who: "client" | "server" | "tls";
  readonly line: string;
}

/** What `try --json` prints. */
interface TryReport {
  readonly listener: string;
  readonly client: string;
  readonly accepted: boolean;
  readonly dialogue: readonly Said[];
  /** `null`: no plugin judged anything. */
  readonly waterfall: Waterfall | null;
}

/** More than a dialogue of ours can make: nothing is to be left out. */
const rows = 100_000;

/** Lines as they are said, with who refused them; the waterfall at the end. */
export function forPeople(listener: string, client: string): Account {
  let table: string | undefined;
  const collector = new Collector((told) => (table = formatWaterfall(told, paint)), { rows });
  console.log(paint("bold", `listener ${listener}, client ${client}; nothing is delivered`));
  return {
    see(event) {
      collector.see(event);
      const said = saidIn(event);
      if (said !== undefined) console.log(said.who === "tls" ? "   (TLS)" : `${marks[said.who]}: ${said.line}`);
      const refusal = refusalIn(event);
      if (refusal !== undefined) console.log(paint("red", `   ${refusal}`));
    },
    end(taken) {
      collector.finish();
      if (table !== undefined) console.log(`\n${table}\n`);
      if (taken === undefined) return;
      console.log(taken ? paint("green", "accepted (and not delivered)") : paint("red", "refused"));
    },
  };
}

/** Everything at the end, as JSON. */
export function forPrograms(listener: string, client: string): Account {
  const dialogue: Said[] = [];
  let waterfall: Waterfall | null = null;
  const collector = new Collector((told) => (waterfall = told), { rows });
  return {
    see(event) {
      collector.see(event);
      const said = saidIn(event);
      if (said !== undefined) dialogue.push(said);
    },
    end(taken = false) {
      collector.finish();
      const report: TryReport = { listener, client, accepted: taken, dialogue, waterfall };
      console.log(JSON.stringify(report, undefined, 2));
    },
  };
}

const marks = { client: "C", server: "S" } as const;

/** Hides the private mechanism's line: no real client says it. */
function saidIn(event: TraceEvent): Said | undefined {
  if (event.type === "server") return { who: "server", line: event.line };
  if (event.type === "secured") return { who: "tls", line: event.protocol };
  if (event.type !== "client") return undefined;
  return { who: "client", line: event.line.startsWith(proveCommand) ? "(logs in: --user)" : event.line };
}

/** In a few words: the table says more. */
function refusalIn(event: TraceEvent): string | undefined {
  if (event.type !== "tap" || event.outcome.kind === "silent") return undefined;
  return `${event.plugin} ${says[event.outcome.kind]}`;
}

const says = { refused: "refuses", failed: "fails", late: "is too late" } as const;
