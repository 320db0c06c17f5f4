import { definePlugin } from "@mailhost/core";
import { type TestHost, host, sink } from "@mailhost/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import greylist from "../src/index.ts";
import { networkOf } from "../src/triplet.ts";
import { attempt } from "./support.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
let server: TestHost;

beforeEach(async () => {
  server = await host({ plugins: [sink(), greylist()] });
});
afterEach(() => server.close());

test("who comes again after five minutes is let through, and known from then on", async () => {
  expect(await attempt(server)).toMatch(/^451 4\.7\.1 /);
  server.clock.advance(5 * minute - 1);
  expect(await attempt(server)).toMatch(/^451 /);
  server.clock.advance(1);
  expect(await attempt(server)).toMatch(/^250 /);
  server.clock.advance(30 * day);
  expect(await attempt(server)).toMatch(/^250 /);
  server.clock.advance(37 * day);
  expect(await attempt(server)).toMatch(/^451 /);
});

test("who does not come back within two days is a stranger again", async () => {
  await attempt(server);
  server.clock.advance(2 * day + 1);
  expect(await attempt(server)).toMatch(/^451 /);
});

test("a retry from a neighbouring address counts, another sender or recipient does not", async () => {
  await attempt(server);
  server.clock.advance(5 * minute);
  expect(await attempt(server, { client: "192.0.3.1" })).toMatch(/^451 /);
  expect(await attempt(server, { from: "jim@example.net" })).toMatch(/^451 /);
  expect(await attempt(server, { to: "jack@example.com" })).toMatch(/^451 /);
  expect(await attempt(server, { client: "192.0.2.77" })).toMatch(/^250 /);
});

test("networks are /24 and /64", () => {
  expect(networkOf("192.0.2.1")).toBe("192.0.2");
  expect(networkOf("2001:db8::1")).toBe(networkOf("2001:db8:0:0:8::"));
  expect(networkOf("2001:db8::1")).not.toBe(networkOf("2001:db8:0:1::1"));
});

test("of several recipients each has its own answer", async () => {
  await attempt(server);
  server.clock.advance(5 * minute);
  const speaker = server.client();
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  await speaker.ask("MAIL FROM:<joe@example.net>");
  expect(await speaker.ask("RCPT TO:<jane@example.com>")).toEqual([expect.stringMatching(/^250 /)]);
  expect(await speaker.ask("RCPT TO:<jack@example.com>")).toEqual([expect.stringMatching(/^451 /)]);
});

test("a server that only asks whether an address exists is not deferred, a report without a sender is", async () => {
  const speaker = server.client();
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  await speaker.ask("MAIL FROM:<>");
  expect(await speaker.ask("RCPT TO:<jane@example.com>")).toEqual(["250 2.1.5 Recipient ok"]);
  await speaker.ask("RSET");
  expect(await attempt(server, { from: "" })).toMatch(/^451 4\.7\.1 /);
  server.clock.advance(5 * minute);
  expect(await attempt(server, { from: "" })).toMatch(/^250 /);
});

test("postmaster can always be reached", async () => {
  expect(await attempt(server, { to: "Postmaster@example.com" })).toMatch(/^250 /);
  expect(await attempt(server, { from: "", to: "postmaster@example.com" })).toMatch(/^250 /);
});

/** AUTH XTEST: whoever says it is somebody. */
const login = definePlugin({
  name: "login",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({
      mechanisms: [{ name: "XTEST", start: () => ({ credentials: { kind: "proven", username: "jane" } }) }],
    });
    host.hooks.auth.tap("login", (credentials) => credentials.identify({ name: credentials.username }));
  },
});

test("who has logged in does not wait", async () => {
  const own = await host({ plugins: [sink(), login(), greylist()] });
  const speaker = own.client();
  await speaker.reply();
  await speaker.ask("EHLO client.test");
  await speaker.ask("AUTH XTEST");
  expect(await speaker.deliver({ to: "jane@example.com" })).toEqual([expect.stringMatching(/^250 /)]);
  await own.close();
});

test("who is refused anyway is refused for good", async () => {
  const closed = await host({ plugins: [sink({ everything: false }), greylist()] });
  expect(await attempt(closed)).toMatch(/^550 /);
  await closed.close();
});
