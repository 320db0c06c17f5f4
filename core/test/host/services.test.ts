import { makeNetworks, systemClock } from "@mailhost/core";
import { afterEach, expect, test, vi } from "vitest";
import { describeRoute } from "../../src/host/edit.ts";
import { RecipientCase } from "../../src/host/recipient.ts";
import { consoleLog, logOf, longestWait, steadyLog, systemResolver } from "../../src/host/services.ts";
import { parseAddress } from "../../src/protocol/address.ts";

afterEach(() => void vi.restoreAllMocks());

test("the system's clock tells the time and calls once, or not at all", async () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
  const called: string[] = [];
  const cancel = systemClock.after(0, () => void called.push("cancelled"));
  cancel();
  await new Promise<void>((resolve) => systemClock.after(1, resolve));
  expect(called).toEqual([]);
});

test("the system's clock takes a wait without end for a long one, not for none", async () => {
  const called: string[] = [];
  const cancels = [Infinity, longestWait + 1].map((wait) => systemClock.after(wait, () => void called.push("early")));
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  for (const cancel of cancels) cancel();
  expect(called).toEqual([]);
});

test("a log that throws or rejects is nobody's failure", async () => {
  const log = {
    lines: [] as string[],
    debug(_fields: object, message: string) {
      this.lines.push(message); // as a method of its own object
    },
    info: () => Promise.reject(new Error("late")),
    warn: () => {},
    error: () => {
      throw new Error("the stream is closed");
    },
  };
  const steady = steadyLog(log);
  for (const level of ["debug", "info", "warn", "error"] as const) steady[level]({}, level);
  await new Promise((resolve) => setImmediate(resolve));
  expect(log.lines).toEqual(["debug"]);
});

test("the console is told of warnings and errors alone", () => {
  const said: unknown[] = [];
  vi.spyOn(console, "warn").mockImplementation((...words) => void said.push(words));
  vi.spyOn(console, "error").mockImplementation((...words) => void said.push(words));
  for (const level of ["debug", "info", "warn", "error"] as const) consoleLog[level]({ a: 1 }, level);
  expect(said).toEqual([
    ["mailhost: warn", { a: 1 }],
    ["mailhost: error", { a: 1 }],
  ]);
});

test("everybody gets a resolver of their own", () => {
  expect(systemResolver()).not.toBe(systemResolver());
});

test("a set of networks knows its own", () => {
  const networks = makeNetworks(["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "2001:db8:1::1"]);
  expect(networks.entries).toHaveLength(4);
  for (const address of ["192.0.2.255", "198.51.100.7", "2001:db8:ffff::1", "::ffff:192.0.2.1"])
    expect(networks.has(address)).toBe(true);
  for (const address of ["192.0.3.0", "198.51.100.8", "2001:db9::", "fe80::1%eth0", "here", ""])
    expect(networks.has(address)).toBe(false);
  expect(() => makeNetworks(["here"])).toThrow(RangeError);
});

test("a route in words", () => {
  expect(describeRoute({ transport: "smtp" })).toBe("smtp");
  expect(describeRoute({ transport: "smtp", nexthop: "mx.example.com" })).toBe("smtp (mx.example.com)");
});

test("a handle that was lent to nobody does nothing", () => {
  const address = parseAddress("joe@example.com");
  if (address === undefined) throw new Error("no address");
  const subject = new RecipientCase({ address, parameters: new Map() }, {});
  subject.shared.permit("local");
  subject.shared.routeTo({ transport: "x" });
  expect(subject.shared.settle(true, true)).toEqual([]);
  expect(subject).toMatchObject({ local: false, relay: false, route: undefined });
});

test("what a plugin logs names it", () => {
  const lines: object[] = [];
  const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const log = logOf("greylist", { debug: note, info: note, warn: note, error: note });
  log.debug({}, "a");
  log.info({ session: "x" }, "b");
  log.warn({}, "c");
  log.error({}, "d");
  expect(lines).toEqual([
    { plugin: "greylist", message: "a" },
    { plugin: "greylist", session: "x", message: "b" },
    { plugin: "greylist", message: "c" },
    { plugin: "greylist", message: "d" },
  ]);
});
