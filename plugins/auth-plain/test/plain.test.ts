import { decodeBase64 } from "@mailhost/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readPlain } from "../src/plain.ts";
import { Turns } from "../src/turns.ts";
import { deferred, plain } from "./kit.ts";

const read = (text: string) => readPlain(decodeBase64(plain(text)) ?? new Uint8Array(0));

test("property: a message is read back, and never by half", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (username, password) => {
      fc.pre(!/\p{Cs}/u.test(username + password) && !/\p{Cc}/u.test(username) && !password.includes("\0"));
      fc.pre(username !== "" && password !== "");
      const credentials = { kind: "password", username, password };
      expect(read(`\0${username}\0${password}`)).toEqual({ credentials });
      expect(read(`${username}\0${username}\0${password}`)).toEqual({ credentials });
      expect(read(`${username}x\0${username}\0${password}`)).not.toHaveProperty("credentials");
      expect(read(`\0${username}\0${password}\0`)).not.toHaveProperty("credentials");
    }),
  );
});

test("property: no octets make it throw, and what it lets pass is name and password", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
      const exchange = readPlain(octets);
      if ("refuse" in exchange) {
        expect([501, 535]).toContain(exchange.refuse.code);
        return;
      }
      if (!("credentials" in exchange) || exchange.credentials.kind !== "password") throw new Error("no password");
      expect(exchange.credentials.username).not.toMatch(/\p{Cc}/u);
      expect(exchange.credentials.password).not.toBe("");
    }),
  );
});

const never = new AbortController().signal;
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("turns go round the clients, so many at once", async () => {
  const turns = new Turns({ atOnce: 1, waiting: 100, waitingPerClient: 10 });
  const order: string[] = [];
  const work = (name: string) => async () => {
    await tick();
    order.push(name);
    return name;
  };
  const all = ["a1", "a2", "a3", "b1", "c1"].map((name) => turns.take(name.slice(0, 1), never, work(name)));
  expect(await Promise.all(all)).toEqual(["a1", "a2", "a3", "b1", "c1"]);
  expect(order).toEqual(["a1", "a2", "b1", "c1", "a3"]);
});

test("turns: who leaves makes room, work that fails too, and nobody waits beyond the bounds", async () => {
  const turns = new Turns({ atOnce: 1, waiting: 3, waitingPerClient: 2 });
  const { promise, resolve: finish } = deferred<string>();
  const first = turns.take("a", never, () => promise);
  const gone = new AbortController();
  const left = turns.take("a", gone.signal, () => Promise.resolve("never runs"));
  const fails = turns.take("a", never, () => Promise.reject(new Error("broken")));
  const failed = expect(fails).rejects.toThrow("broken");
  expect(await turns.take("a", never, () => Promise.resolve("too many of a"))).toBeUndefined();
  const other = turns.take("b", never, () => Promise.resolve("b"));
  expect(await turns.take("c", never, () => Promise.resolve("too many"))).toBeUndefined();
  gone.abort();
  expect(await left).toBeUndefined();
  const late = turns.take("c", never, () => Promise.resolve("c"));
  finish("done");
  expect(await first).toBe("done");
  await failed;
  expect(await Promise.all([other, late])).toEqual(["b", "c"]);
  expect(await turns.take("a", never, () => Promise.resolve("free again"))).toBe("free again");
  expect(await turns.take("a", gone.signal, () => Promise.resolve("aborted already"))).toBeUndefined();
});
