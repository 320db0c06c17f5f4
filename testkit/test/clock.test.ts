import { describe, expect, test } from "vitest";
import { TestClock } from "../src/index.ts";

describe("a test clock", () => {
  test("stands still until it is moved", () => {
    const clock = new TestClock();
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1));
    clock.advance(1500);
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1, 0, 0, 1, 500));
    expect(new TestClock(7).now()).toBe(7);
  });

  test("calls what is due, in order, each at its own time, those of one time as they came", () => {
    const clock = new TestClock(0);
    const calls: string[] = [];
    const note = (name: string) => (): void => void calls.push(`${name} at ${clock.now()}`);
    clock.after(30, note("third"));
    clock.after(10, note("first"));
    clock.after(20, note("second"));
    clock.after(20, note("second too"));
    clock.after(31, note("never"));
    clock.advance(30);
    expect(calls).toEqual(["first at 10", "second at 20", "second too at 20", "third at 30"]);
    expect(clock.waiting).toBe(1);
  });

  test("a timer can be cancelled, even by another one", () => {
    const clock = new TestClock(0);
    const calls: string[] = [];
    const cancel = clock.after(10, () => void calls.push("cancelled"));
    clock.after(5, cancel);
    clock.advance(100);
    cancel();
    expect(calls).toEqual([]);
    expect(clock.waiting).toBe(0);
  });

  test("a timer set by a timer runs in the same advance when it is due", () => {
    const clock = new TestClock(0);
    const times: number[] = [];
    const again = (): void => {
      times.push(clock.now());
      clock.after(10, again);
    };
    clock.after(10, again);
    clock.advance(35);
    expect(times).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(35);
  });

  test("a timer of no time waits for the next advance, and one that throws does not stop the clock", () => {
    const clock = new TestClock(0);
    let called = 0;
    clock.after(0, () => void (called += 1));
    expect(called).toBe(0);
    clock.advance(0);
    expect(called).toBe(1);
    clock.after(1, () => {
      throw new Error("broken timer");
    });
    expect(() => clock.advance(1)).toThrow("broken timer");
    clock.after(1, () => void (called += 1));
    clock.advance(1);
    expect(called).toBe(2);
  });
});
