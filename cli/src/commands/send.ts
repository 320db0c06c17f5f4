import { printable } from "@mailhost/core";
import { readFileSync } from "node:fs";
import { buffer } from "node:stream/consumers";
import { describeError } from "../config/problem.ts";
import { RunTimeError, UsageError } from "../exit.ts";
import { askPassword } from "../prompt.ts";
import { paint } from "../report.ts";
import { connectTo } from "../smtp/connect.ts";
import { checkedAddress, handIn } from "../smtp/hand-in.ts";
import { withLineEnds, writeLetter } from "../smtp/letter.ts";

export interface SendFlags {
  readonly to?: readonly string[];
  readonly from: string;
  readonly server: string;
  readonly port: number;
  readonly subject: string;
  readonly body: string;
  readonly file?: string;
  readonly user?: string;
  readonly tls?: "starttls" | "implicit";
  readonly insecure?: true;
}

/** Milliseconds to wait for a reply: a server may take its time behind the end of data (RFC 5321 §4.5.3.2.6). */
const patience = 600_000;

/** `mailhost send`: hands one message in and shows the dialogue. Without --server it never leaves this machine. */
export async function send(flags: SendFlags): Promise<void> {
  const from = flags.from === "<>" || flags.from === "" ? "" : checkedAddress(flags.from, "--from");
  const to = (flags.to ?? ["you@example.com"]).map((one) => checkedAddress(one, "--to"));
  if (/[\r\n]/.test(flags.subject)) throw new UsageError("--subject is one line");
  const content =
    flags.file === undefined
      ? writeLetter({ from, to, subject: flags.subject, body: flags.body })
      : withLineEnds(await readMessage(flags.file));
  const login =
    flags.user === undefined ? undefined : { username: flags.user, password: await findPassword(flags.user) };
  const { server: host, port, tls } = flags;
  const loopback = /^(127\.|::1$|localhost$)/.test(host);
  const insecure = flags.insecure === true || loopback;
  const connected = await connectTo(
    { host, port, implicitTls: tls === "implicit", insecure },
    { watch: show, patience },
  );
  try {
    await handIn(connected, {
      reversePath: from,
      recipients: to,
      content,
      login,
      starttls: tls === "starttls",
      confidential: loopback || tls !== undefined,
    });
  } finally {
    connected.hangUp();
  }
}

/** A server's line must not steer the terminal. */
const show = (who: "C" | "S", line: string): void =>
  console.log(paint(who === "C" ? "cyan" : "reset", `${who}: ${printable(line)}`));

async function readMessage(file: string): Promise<Uint8Array> {
  try {
    return file === "-" ? await buffer(process.stdin) : readFileSync(file);
  } catch (error) {
    throw new RunTimeError(`--file: ${describeError(error)}`);
  }
}

/** Never from the command line, where everybody on the machine could read it. */
const findPassword = async (user: string): Promise<string> =>
  process.env["MAILHOST_PASSWORD"] ?? (await askPassword(`Password of ${user}`));
