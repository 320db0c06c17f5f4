import type { Exchange } from "@mailhost/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { startLogin } from "../src/login.ts";

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The whole exchange, with or without the name as initial response. */
function exchange(name: Uint8Array, secret: Uint8Array, initial: boolean): Exchange {
  const answer = (step: Exchange, response: Uint8Array): Exchange => {
    if (!("next" in step)) throw new Error("nothing is asked");
    return step.next(response);
  };
  return answer(initial ? startLogin(name) : answer(startLogin(undefined), name), secret);
}

test("property: name and password are read back, however the name comes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), fc.boolean(), (name, secret, initial) => {
      fc.pre(!/\p{Cs}/u.test(name + secret) && !/\p{Cc}/u.test(name) && !secret.includes("\0"));
      fc.pre(name !== "" && secret !== "");
      const credentials = { kind: "password", username: name, password: secret };
      expect(exchange(octets(name), octets(secret), initial)).toEqual({ credentials });
    }),
  );
});

test("property: no octets make it throw, ask a third time or pass what is no name or no password", () => {
  const some = fc.uint8Array({ maxLength: 12 });
  fc.assert(
    fc.property(some, some, (name, secret) => {
      const step = exchange(name, secret, false);
      if ("refuse" in step) {
        expect([501, 535]).toContain(step.refuse.code);
        return;
      }
      if (!("credentials" in step) || step.credentials.kind !== "password") throw new Error("no password");
      expect(step.credentials.username).not.toMatch(/\p{Cc}/u);
      expect(step.credentials.username).not.toBe("");
      expect(step.credentials.password).not.toBe("");
      // Nothing was changed on the way
      expect(octets(step.credentials.username)).toEqual(name);
      expect(octets(step.credentials.password)).toEqual(secret);
    }),
    { numRuns: 1000 },
  );
});
