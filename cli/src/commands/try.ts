import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { type Account, forPeople, forPrograms } from "../dialogue/account.ts";
import { greet, talkTo } from "../dialogue/memory.ts";
import { proveCommand, prover, watcher, withOurs } from "../dialogue/watcher.ts";
import { exitCodes, RunTimeError, UsageError } from "../exit.ts";
import { describeError } from "../config/problem.ts";
import { prepare, readConfiguration } from "../config/configuration.ts";
import type { SmtpClient } from "../smtp/client.ts";
import { withLineEnds, writeLetter } from "../smtp/letter.ts";
import { checkedWishes, troubleLog } from "./prepared.ts";

export interface TryFlags {
  readonly config?: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly ip: string;
  readonly helo: string;
  readonly user?: string;
  readonly message?: string;
  readonly listener?: string;
  readonly tls: boolean;
  readonly json?: true;
}

/** Longest a plugin may think before `try` gives up. */
const patience = 60_000;

/** `mailhost try`: one dialogue in memory that shows who said what and why, and how long it took. Nothing is delivered. */
export async function tryOut(flags: TryFlags): Promise<void> {
  if (isIP(flags.ip) === 0) throw new UsageError(`--ip: ${flags.ip} is no IP address`);
  const reversePath = flags.from === "<>" ? "" : flags.from;
  const content =
    flags.message === undefined
      ? writeLetter({ from: reversePath, to: flags.to, subject: "A try", body: "Nothing is delivered." })
      : withLineEnds(readMessage(resolve(flags.message)));
  const configuration = await readConfiguration(checkedWishes({ config: flags.config }));
  let account: Account | undefined;
  const ours = [watcher((event) => account?.see(event)), ...(flags.user === undefined ? [] : [prover(flags.user)])];
  const server = await prepare(configuration, { log: troubleLog, ...withOurs(configuration.options, ours) });
  const names = server.generations.map(({ listener }) => listener.name);
  const listener = flags.listener ?? names[0] ?? "";
  if (!names.includes(listener))
    throw new UsageError(`--listener: there is no listener ${listener}, only ${names.join(", ")}`);
  account = (flags.json === true ? forPrograms : forPeople)(listener, flags.ip);
  const peer = { client: { address: flags.ip, port: 40_000 }, local: { address: "192.0.2.25", port: 25 } };
  // The watcher shows the lines: it sees the verdicts between them
  const { client, hangUp } = talkTo(server, { listener, peer }, { patience });
  let taken: boolean | undefined;
  try {
    taken = await hold(client, { ...flags, from: reversePath }, content);
    if (!taken) process.exitCode = exitCodes.runTime;
  } finally {
    hangUp();
    await server.close();
    account.end(taken);
  }
}

/** Whether the message was taken, for every recipient. */
async function hold(client: SmtpClient, flags: TryFlags, content: Uint8Array): Promise<boolean> {
  try {
    await greet(client, flags.helo, flags.tls);
    if (client.isClosed) return false;
    if (flags.user !== undefined && (await client.command(proveCommand)).code !== 235) return false;
    if ((await client.command(`MAIL FROM:<${flags.from}>`)).code !== 250) return false;
    let refused = 0;
    for (const to of flags.to) if ((await client.command(`RCPT TO:<${to}>`)).code !== 250) refused += 1;
    if (refused === flags.to.length) return false;
    if ((await client.command("DATA")).code !== 354) return false;
    const { code } = await client.body(content);
    await client.command("QUIT");
    return code === 250 && refused === 0;
  } catch (error) {
    if (client.isClosed) return false;
    throw error;
  }
}

function readMessage(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new RunTimeError(`--message: ${describeError(error)}`);
  }
}
