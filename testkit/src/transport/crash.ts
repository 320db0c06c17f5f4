import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Plugin, describeError, mailhost } from "@mailhost/core";
import { Client } from "../client.ts";
import { Probe } from "../contract/probe.ts";
import { silenced, watched } from "../contract/watched.ts";
import type { Finding } from "../contract/report.ts";
import { type TransportCheck, accepted, durable, isNotThere, isThere } from "./check.ts";
import { Disk } from "./disk.ts";
import { type Marked, type Station, marked } from "./station.ts";

/** Where the process dies: once everything is staged, once it is committed and not answered, at an operation of the disk, nowhere. */
type Moment = "staged" | "committed" | "never" | number;

/** What the program is told, as one argument. */
interface Orders {
  readonly folder: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly client: string | undefined;
  readonly moment: Moment;
  /** Texts of messages, one character per octet: all but the last are to be delivered before. */
  readonly texts: readonly string[];
}

/** What it tells, one JSON value a line. */
interface Told {
  readonly replies: readonly string[];
  /** Operations of the disk the last message took. */
  readonly operations: number;
  readonly failed: string | undefined;
}

/**
 * The whole of a program that `transportContract` kills: it serves messages with these plugins, and dies amid the last.
 * `greet` as in the contract, where a client must say more than EHLO.
 */
export async function crashing(
  plugins: (folder: string) => readonly Plugin[] | Promise<readonly Plugin[]>,
  greet: (speaker: Client) => Promise<unknown> = (speaker) => speaker.ask("EHLO client.test"),
): Promise<void> {
  const orders = JSON.parse(process.argv[2] ?? "") as Orders; // the contract wrote it
  const tell = (told: Partial<Told>): void => void process.stdout.write(`${JSON.stringify(told)}\n`);
  try {
    await serveAndDie(await plugins(orders.folder), orders, greet, tell);
  } catch (error) {
    tell({ failed: describeError(error) });
  }
  process.exit();
}

async function serveAndDie(
  plugins: readonly Plugin[],
  { folder: _folder, from, to, client, moment, texts }: Orders,
  greet: (speaker: Client) => Promise<unknown>,
  tell: (told: Partial<Told>) => void,
): Promise<void> {
  const probe = new Probe();
  const server = mailhost({
    name: "mx.example.com",
    plugins: plugins.map((plugin) => watched(silenced(plugin), probe)),
  });
  await server.prepare();
  const speaker = new Client(server, { ...(client === undefined ? {} : { client }), patience: 10_000 });
  await speaker.reply();
  await greet(speaker);
  const replies: string[] = [];
  const disk = await Disk.watch();
  for (const [index, text] of texts.entries()) {
    disk.operations = 0;
    if (index === texts.length - 1) arm(probe, disk, moment);
    const reply = await speaker.deliver({ from, to, text: Buffer.from(text, "latin1") });
    replies.push(reply.join(" | "));
    tell({ replies, operations: disk.operations });
  }
}

/** From here on the process dies where it is told to. */
function arm(probe: Probe, disk: Disk, moment: Moment): void {
  if (typeof moment === "number")
    disk.fails = (operation) => {
      if (operation === moment) die();
      return false;
    };
  probe.onPhase = (phase, work) => {
    if (phase !== "commit") return work();
    if (moment === "staged") die();
    const done = work();
    if (moment !== "committed") return done;
    return Promise.resolve(done).then(die);
  };
}

/** As a power cut or the kernel ends it: nothing is tidied up. */
const die = (): void => void process.kill(process.pid, "SIGKILL");

export const crash: TransportCheck = {
  name: "crash",
  mend: durable,
  async run(station) {
    if (station.options.crash === undefined) return [];
    const measured = await dieAt(station, "never");
    if (measured.findings.length > 0) return measured.findings;
    const operations = Array.from({ length: measured.operations }, (_, index) => index + 1);
    const findings: Finding[] = [];
    for (const moment of ["staged", "committed", ...spread(operations, mostKills)] as const) {
      if (findings.length > 0) return findings; // each life goes on from the one before
      findings.push(...(await dieAt(station, moment)).findings);
    }
    // The life behind the last death
    return [...findings, ...(await dieAt(station, "never")).findings];
  },
};

const mostKills = 3;

/** So many of them, evenly. */
const spread = (numbers: readonly number[], most: number): number[] =>
  numbers.length <= most
    ? [...numbers]
    : Array.from({ length: most }, (_, index) => numbers[Math.floor((index * numbers.length) / most)] ?? 1);

/** One life of the program: it answers a message, the first behind the life before, and dies amid another. */
async function dieAt(station: Station, moment: Moment): Promise<{ findings: Finding[]; operations: number }> {
  const [answered, dying] = [marked(), marked(`${"w".repeat(70)}\r\n`.repeat(50))];
  const { replies, operations, failed } = await live(station, moment, [answered, dying]);
  const when = typeof moment === "number" ? `at disk operation ${moment}` : moment;
  const findings: Finding[] = [];
  if (failed !== undefined)
    return { findings: [{ what: `the program to be killed: ${failed}`, mend: durable }], operations };
  findings.push(...accepted(replies[0] ?? "nothing", "the first message of a new process"));
  findings.push(...(await isThere(station, answered, `a message before the process was killed ${when}`)));
  const last = replies[1];
  if (moment === "never") findings.push(...accepted(last ?? "nothing", "the second message of a new process"));
  // It lived on where there was nothing to kill it at
  if (last !== undefined) return { findings, operations };
  const { torn } = await station.found(dying);
  if (torn > 0)
    findings.push({ what: `killed ${when}, what it was delivering is visible and not whole`, mend: durable });
  if (moment === "staged")
    findings.push(...(await isNotThere(station, dying, "what was staged when the process was killed")));
  return { findings, operations };
}

/** Runs the program once. */
async function live(station: Station, moment: Moment, messages: readonly Marked[]): Promise<Told> {
  const { crash: how, from = "sender@example.com", client } = station.options;
  if (how === undefined) throw new Error("there is no program to kill");
  const orders: Orders = {
    folder: station.folder,
    from,
    to: station.recipients,
    client,
    moment,
    texts: messages.map(({ text }) => Buffer.from(text).toString("latin1")),
  };
  const program = how.program instanceof URL ? fileURLToPath(how.program) : how.program;
  const args = [...(how.execArgv ?? process.execArgv), program, JSON.stringify(orders)];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  let out = "";
  let wrong = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (wrong += text));
  await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  const last = out.trimEnd().split("\n").at(-1) ?? "";
  if (last === "") return { replies: [], operations: 0, failed: `the program said nothing: ${wrong.trim()}` };
  const told = JSON.parse(last) as Partial<Told>; // the program wrote it
  return { replies: told.replies ?? [], operations: told.operations ?? 0, failed: told.failed };
}
