import { TestResolver, host, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import greylist from "../src/index.ts";
import { attempt } from "./support.ts";

const list = "list.example";
const listed = new TestResolver({
  [`1.2.0.192.${list}`]: { a: ["127.0.0.2"] },
  // A zone that changed hands answers for everybody
  [`2.2.0.192.${list}`]: { a: ["203.0.113.80"] },
  [`1.${"0.".repeat(23)}8.b.d.0.1.0.0.2.${list}`]: { a: ["127.0.0.2"] },
});

test.each([
  ["192.0.2.1", /^250 /],
  ["2001:db8::1", /^250 /],
  ["192.0.2.2", /^451 4\.7\.1 /],
  ["198.51.100.1", /^451 4\.7\.1 /],
])("%s is answered %s", async (client, answer) => {
  const server = await host({ plugins: [sink(), greylist({ spareListed: list })], resolver: listed });
  expect(await attempt(server, { client })).toMatch(answer);
  await server.close();
});

test("a list that fails spares nobody, stops nobody, and is in the log", async () => {
  const resolver = new TestResolver().fail(`1.2.0.192.${list}`, "ESERVFAIL");
  const server = await host({ plugins: [sink(), greylist({ spareListed: list, wait: 1000 })], resolver });
  expect(await attempt(server)).toMatch(/^451 4\.7\.1 /);
  server.clock.advance(1000);
  expect(await attempt(server)).toMatch(/^250 /);
  expect(server.log.map(({ message }) => message)).toContain(
    "plugin greylist failed in ehlo: queryA ESERVFAIL 1.2.0.192.list.example (ignored)",
  );
  await server.close();
});

test("a list that says nothing is waited for no longer than five seconds", async () => {
  const resolver = new TestResolver().delay(`1.2.0.192.${list}`, Infinity);
  const server = await host({ plugins: [sink(), greylist({ spareListed: list })], resolver });
  const speaker = server.client();
  await speaker.reply();
  speaker.send("HELO client.test");
  server.clock.advance(5000);
  expect(await speaker.reply()).toEqual([expect.stringMatching(/^250 /)]);
  await server.close();
});
