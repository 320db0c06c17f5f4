import type { Clock, Resolver } from "@mailhost/core";

/** What DNS knows of a name. */
export interface DnsRecords {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly mx?: readonly { readonly exchange: string; readonly priority: number }[];
  /** A record is a string, or the strings it is cut into. */
  readonly txt?: readonly (string | readonly string[])[];
  /** Names of an address: the key is the address as clients have it, `192.0.2.7`. */
  readonly ptr?: readonly string[];
}

export type DnsType = keyof DnsRecords;

/** What goes wrong: no such name, the server failed, no answer. */
export type DnsFailure = "ENOTFOUND" | "ENODATA" | "ESERVFAIL" | "ETIMEOUT" | "EREFUSED";

/** A question that was asked. */
export interface DnsQuery {
  readonly type: DnsType;
  readonly name: string;
}

/** As `node:dns` names its calls. */
const calls: Readonly<Record<DnsType, string>> = {
  a: "queryA",
  aaaa: "queryAaaa",
  mx: "queryMx",
  txt: "queryTxt",
  ptr: "getHostByAddr",
};

/** DNS that a test controls. A name it does not know is ENOTFOUND, a type that name lacks ENODATA. Rejects as `node:dns` does. */
export class TestResolver implements Resolver {
  /** Everything that was asked, in order. */
  readonly queries: DnsQuery[] = [];
  /** Delays are this clock's. `host()` sets its own unless there is one. */
  clock: Clock | undefined;
  readonly #names = new Map<string, DnsRecords>();
  readonly #failures = new Map<string, DnsFailure>();
  readonly #delays = new Map<string, number>();

  constructor(names: Readonly<Record<string, DnsRecords>> = {}, clock?: Clock) {
    for (const [name, records] of Object.entries(names)) this.set(name, records);
    this.clock = clock;
  }

  /** Puts these records of a name in place of those of the same types. Failures of the name are over. */
  set(name: string, records: DnsRecords): this {
    this.#names.set(key(name), { ...this.#names.get(key(name)), ...records });
    this.#failures.delete(key(name));
    return this;
  }

  /** Every question for that name fails so. */
  fail(name: string, failure: DnsFailure): this {
    this.#failures.set(key(name), failure);
    return this;
  }

  /** Answers for that name, failures too, come so many milliseconds of the clock later; Infinity: never. */
  delay(name: string, milliseconds: number): this {
    this.#delays.set(key(name), milliseconds);
    return this;
  }

  resolve4(name: string): Promise<string[]> {
    return this.#ask("a", name, ({ a }) => a && [...a]);
  }

  resolve6(name: string): Promise<string[]> {
    return this.#ask("aaaa", name, ({ aaaa }) => aaaa && [...aaaa]);
  }

  resolveMx(name: string): Promise<{ exchange: string; priority: number }[]> {
    return this.#ask("mx", name, ({ mx }) => mx?.map((record) => ({ ...record })));
  }

  resolveTxt(name: string): Promise<string[][]> {
    return this.#ask("txt", name, ({ txt }) => txt?.map((record) => [record].flat()));
  }

  reverse(address: string): Promise<string[]> {
    return this.#ask("ptr", address, ({ ptr }) => ptr && [...ptr]);
  }

  async #ask<T>(type: DnsType, name: string, read: (records: DnsRecords) => T | undefined): Promise<T> {
    this.queries.push({ type, name });
    await this.#wait(key(name));
    const failure = this.#failures.get(key(name));
    if (failure !== undefined) throw dnsError(failure, type, name);
    const records = this.#names.get(key(name));
    if (records === undefined) throw dnsError("ENOTFOUND", type, name);
    const found = read(records);
    if (found === undefined) throw dnsError("ENODATA", type, name);
    return found;
  }

  async #wait(name: string): Promise<void> {
    const milliseconds = this.#delays.get(name) ?? 0;
    if (milliseconds === 0) return;
    if (milliseconds === Infinity) return new Promise(() => {});
    const { clock } = this;
    if (clock === undefined) throw new Error("a TestResolver that delays needs a clock");
    await new Promise<void>((resolve) => void clock.after(milliseconds, resolve));
  }
}

/** Names are compared without case, and with or without the root's dot. */
const key = (name: string): string => name.toLowerCase().replace(/\.$/, "");

const dnsError = (code: DnsFailure, type: DnsType, hostname: string): Error =>
  Object.assign(new Error(`${calls[type]} ${code} ${hostname}`), { code, syscall: calls[type], hostname });
