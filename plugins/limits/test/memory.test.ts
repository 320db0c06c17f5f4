import { TestClock } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { MemoryTable, type Rule } from "../src/memory.ts";

const rule = (more: Partial<Rule> = {}): Rule => ({ points: 2, duration: 1000, block: 0, keys: 100, ...more });

function table() {
  const clock = new TestClock();
  return { clock, table: new MemoryTable(clock) };
}

describe("a key", () => {
  test("is forgotten when its time is over, counted from the first point", () => {
    const { clock, table: counted } = table();
    expect(counted.add("a", 1, rule())).toBe(1);
    clock.advance(999);
    expect(counted.add("a", 1, rule())).toBe(2);
    clock.advance(1);
    expect(counted.read("a")).toBe(0);
    expect(counted.add("a", 1, rule())).toBe(1);
  });

  test("that has too many is remembered for as long as the block says, and no longer", () => {
    const { clock, table: counted } = table();
    const blocked = rule({ block: 5000 });
    for (let count = 1; count <= 3; count += 1) expect(counted.add("a", 1, blocked)).toBe(count);
    clock.advance(4999);
    expect(counted.add("a", 1, blocked)).toBe(4);
    clock.advance(1);
    expect(counted.read("a")).toBe(0);
    expect(counted.add("a", 1, blocked)).toBe(1);
  });

  test("keeps its points when the rule changes", () => {
    const { table: counted } = table();
    counted.add("a", 1, rule({ points: 10 }));
    counted.add("a", 1, rule({ points: 10 }));
    expect(counted.add("a", 1, rule({ points: 2 }))).toBe(3);
  });

  test.each(["__proto__", "constructor", "", "toString"])("may be %j", (key) => {
    const { table: counted } = table();
    expect(counted.read(key)).toBe(0);
    expect(counted.add(key, 1, rule())).toBe(1);
    expect(counted.read(key)).toBe(1);
    expect(counted.read("other")).toBe(0);
  });
});

describe("a flood of keys", () => {
  test("takes no more than the keys that are remembered, the newest of them", () => {
    const { table: counted } = table();
    for (let index = 0; index < 1000; index += 1) counted.add(`key ${index}`, 1, rule());
    expect(counted.size).toBe(100);
    expect(counted.read("key 899")).toBe(0);
    expect(counted.read("key 900")).toBe(1);
  });

  test("drives nobody out who has too many", () => {
    const { table: counted } = table();
    for (let count = 0; count < 3; count += 1) counted.add("bad", 1, rule());
    for (let index = 0; index < 1000; index += 1) counted.add(`key ${index}`, 1, rule());
    expect(counted.read("bad")).toBe(3);
  });

  test("of those who have too many is bounded as well", () => {
    const { table: counted } = table();
    for (let index = 0; index < 1000; index += 1) counted.add(`key ${index}`, 3, rule());
    expect(counted.size).toBe(100);
  });

  test("leaves nothing but the newest when its time is over", () => {
    const { clock, table: counted } = table();
    for (let index = 0; index < 90; index += 1) counted.add(`key ${index}`, index % 2 === 0 ? 1 : 3, rule());
    clock.advance(1000);
    counted.add("few", 1, rule());
    counted.add("many", 3, rule());
    expect(counted.size).toBe(2);
  });
});

test("whatever the order of keys, times and blocks: what is remembered is what a plain table would say", () => {
  const { clock, table: counted } = table();
  const plain = new Map<string, { points: number; expires: number }>();
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let step = 0; step < 20_000; step += 1) {
    const key = `key ${random(60)}`;
    const one = rule({ points: 1 + random(4), block: random(3) * 700, keys: 100 });
    const now = clock.now();
    let known = plain.get(key);
    if (known === undefined || known.expires <= now)
      plain.set(key, (known = { points: 0, expires: now + one.duration }));
    const points = 1 + random(2);
    if (known.points <= one.points && known.points + points > one.points && one.block > 0)
      known.expires = now + one.block;
    known.points += points;
    expect(counted.add(key, points, one)).toBe(known.points);
    expect(counted.size).toBeLessThanOrEqual(60);
    clock.advance(random(40));
  }
});
