import assert from "node:assert/strict";
import { test } from "node:test";
import { definePlugin } from "@mailhost/core";
import { contract } from "../src/index.ts";

const make = (judge: (name: string) => void) =>
  definePlugin({
    name: "greeter",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) => host.hooks.ehlo.tap("greeter", (greeting) => judge(greeting.name)),
  });

await test("a good one", async () => {
  assert.equal((await contract(make(() => {}))).failed, 0);
});

await test("a bad one", async () => {
  const bad = make(() => void Promise.reject(new Error("floating")));
  await assert.rejects(contract(bad), /a rejection nobody handled: Error: floating/);
});
