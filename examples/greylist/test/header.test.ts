import { host, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import greylist from "../src/index.ts";
import { attempt } from "./support.ts";

test("a message that had to wait says so, above what the sender wrote", async () => {
  const box = sink();
  const server = await host({ plugins: [box, greylist({ wait: 1000 })] });
  await attempt(server);
  server.clock.advance(312_000);
  await attempt(server);
  await attempt(server);
  const [first, second] = box.messages;
  expect(first?.text).toMatch(/^X-Greylist: delayed 312 seconds at mx\.example\.com\r\nReceived: /);
  expect(second?.text).toMatch(/^Received: /);
  expect(server.log.map(({ message }) => message)).toContain("came back after 312 s");
  await server.close();
});
