import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { isRunning } from "./process.ts";

let counter = 0;

/** Tells this process from every other that ever had its number; with the counter, no name comes twice. */
const own = randomBytes(8).toString("hex");

// The Maildir specification: / and : may not stand in a name. A comma begins what Maildir++ adds.
const host = hostname().replace(/[/:,\s]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);

/**
 * A file name nobody else gives, after the Maildir specification: seconds, then M microseconds, P process, Q counter,
 * R random, then the host. The random part holds where processes share a number (containers) or a clock stands still.
 */
export function uniqueName(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const micros = Math.floor((milliseconds % 1000) * 1000);
  counter += 1;
  return `${seconds}.M${micros}P${process.pid}Q${counter}R${own}.${host}`;
}

/** The name in `new`: Maildir++ lets the size stand in it, so that counting a quota needs no stat. */
export const finalName = (unique: string, octets: number): string => `${unique},S=${octets}`;

/** Octets as the name of a file says them, or undefined. */
export function sizeInName(name: string): number | undefined {
  const digits = /,S=(\d{1,15})(?=[,:]|$)/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const started = Date.now() - process.uptime() * 1000;

/** Whether a process of this host that is no more gave this name: nobody writes the file any longer. */
export async function isOrphan(name: string): Promise<boolean> {
  const matched = /^(\d+)\.M(\d+)P(\d+)Q\d+R([0-9a-f]{16})\.(.+)$/.exec(name);
  if (matched === null || matched[5] !== host) return false;
  const pid = Number(matched[3]);
  // In a container every server is process 1: older than this process is not of this process
  if (pid === process.pid && matched[4] === own) return false; // the clock may have stepped back since
  if (pid === process.pid) return Number(matched[1]) * 1000 + Number(matched[2]) / 1000 < started - 1000;
  return !(await isRunning(pid));
}
