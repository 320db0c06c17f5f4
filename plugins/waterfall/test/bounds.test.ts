import type { Session, TraceEvent } from "@mailhost/core";
import { expect, test } from "vitest";
import { Collector, type Waterfall } from "../src/index.ts";

const sessionOf = (id: string): Session => {
  const client = { address: "192.0.2.1", port: 1 };
  return { id, listener: "25", client, identity: undefined } as Session; // what a record reads
};

const tap = (session: Session): TraceEvent => ({
  type: "tap",
  at: 0,
  session,
  hook: "rcpt",
  plugin: "judge",
  version: "1.0.0",
  tap: "judge",
  milliseconds: 0,
  outcome: { kind: "silent" },
  edits: [],
  transaction: "A",
  recipient: undefined,
});

test("ten thousand sessions at once keep no more rows than fit, and count the others", () => {
  const told: Waterfall[] = [];
  const collector = new Collector((one) => void told.push(one));
  const sessions = Array.from({ length: 10_000 }, (_, count) => sessionOf(`S${count}`));
  for (const session of sessions) collector.see({ type: "open", at: 0, session });
  for (let count = 0; count < 20; count += 1) for (const session of sessions) collector.see(tap(session));
  expect(collector.size).toBe(10_000);
  for (const session of sessions) collector.see({ type: "close", at: 0, session, reason: "quit", delivering: false });
  expect(collector.size).toBe(0);
  expect(told.reduce((all, { rows }) => all + rows.length, 0)).toBe(50_000);
  expect(told.reduce((all, { dropped }) => all + dropped, 0)).toBe(150_000);
  // The room is free again
  const [again] = sessions;
  if (again === undefined) throw new Error("there is one");
  collector.see({ type: "open", at: 0, session: again });
  collector.see(tap(again));
  collector.see({ type: "close", at: 0, session: again, reason: "quit", delivering: false });
  expect(told.at(-1)).toMatchObject({ rows: { length: 1 }, dropped: 0 });
});

test("sessions nobody saw begin make no record, and keep no memory", () => {
  const told: Waterfall[] = [];
  const collector = new Collector((one) => void told.push(one));
  collector.see(tap(sessionOf("late")));
  collector.finish();
  expect([collector.size, told.length]).toEqual([0, 0]);
});

test("a tap's edits and words are bounded too, and are clean", () => {
  const told: Waterfall[] = [];
  const collector = new Collector((one) => void told.push(one));
  const session = sessionOf("S");
  const edits = Array.from(
    { length: 60 },
    () => ({ kind: "identify", identity: `a\u001b[31m${"x".repeat(9000)}` }) as const,
  );
  collector.see({ type: "open", at: 0, session });
  collector.see({ ...tap(session), edits } as TraceEvent);
  collector.finish();
  const [row] = told[0]?.rows ?? [];
  if (row?.type !== "tap") throw new Error("it is one");
  expect(row.edits).toHaveLength(50);
  expect(row.words.at(-1)).toBe("10 more");
  expect(row.words[0]).toHaveLength("identify ".length + 500 + "\\x1b".length - 1 + "...".length);
  expect(JSON.stringify(row)).not.toContain("\\u001b");
});
