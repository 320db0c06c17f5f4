import * as dns from "node:dns/promises";
import { isThenable } from "./guard.ts";

/** Where log lines go. pino fits. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The same log, which cannot fail: what it throws has nowhere to go, and must end no session and not the process. */
export const steadyLog = (log: Log): Log =>
  onEveryLevel((level, fields, message) => {
    try {
      const returned: unknown = log[level](fields, message);
      if (isThenable(returned)) returned.then(undefined, () => {});
    } catch {
      // a stream that is closed, a value that cannot be written
    }
  });

/** The log of one plugin: every line names it. */
export const logOf = (plugin: string, log: Log): Log =>
  onEveryLevel((level, fields, message) => log[level]({ plugin, ...fields }, message));

function onEveryLevel(say: (level: keyof Log, fields: object, message: string) => void): Log {
  const at = (level: keyof Log) => (fields: object, message: string) => say(level, fields, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Time, so that tests control it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls once after so many milliseconds; the result cancels. Never keeps the process alive. */
  after(milliseconds: number, call: () => void): () => void;
}

/** DNS, so that tests control it. Rejects as `node:dns` does. */
export interface Resolver {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
  resolveMx(name: string): Promise<{ exchange: string; priority: number }[]>;
  resolveTxt(name: string): Promise<string[][]>;
  reverse(address: string): Promise<string[]>;
}

/** What a timer of Node can wait for: anything longer, Infinity too, would fire at once. Almost 25 days. */
export const longestWait = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, Math.min(milliseconds, longestWait));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** The resolver of this machine, made anew so that nobody's `setServers` reaches it. */
export const systemResolver = (): Resolver => new dns.Resolver({ timeout: 5000, tries: 2 });

/** Warnings and errors on stderr: what a program gets that names no log of its own. */
export const consoleLog: Log = {
  debug: () => {},
  info: () => {},
  warn: (fields, message) => console.warn(`mailhost: ${message}`, fields),
  error: (fields, message) => console.error(`mailhost: ${message}`, fields),
};
