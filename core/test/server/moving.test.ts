import { createServer } from "node:net";
import { type ListenerOptions, mailhost } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { connect } from "../support/sockets.ts";

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
    }),
  );
  return Promise.all(
    servers.map((server) => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      return new Promise<number>((resolve) => server.close(() => resolve(port)));
    }),
  );
}

const at = (name: string, port: number): ListenerOptions => ({
  name,
  port,
  host: "127.0.0.1",
  serverName: `${name}.example.com`,
});

test("listeners change names and swap ports in a reload, and no socket is closed", async () => {
  const [one = 0, two = 0] = await freePorts(2);
  const plugins = [sink()];
  const server = await mailhost({ plugins, listeners: [at("a", one), at("b", two)] }).listen();
  const open = connect(one);
  expect(await open.hear(1)).toEqual(["220 a.example.com ESMTP"]);
  await server.reload({ plugins, listeners: [at("b", one), at("c", two)] });
  expect(server.addresses.map(({ listener, port }) => [listener, port])).toEqual([
    ["b", one],
    ["c", two],
  ]);
  open.say("NOOP");
  expect(await open.hear(1)).toEqual(["250 2.0.0 Ok"]);
  expect(await connect(one).hear(1)).toEqual(["220 b.example.com ESMTP"]);
  expect(await connect(two).hear(1)).toEqual(["220 c.example.com ESMTP"]);
  await server.close();
});

test("a reload that cannot have a port leaves names, sockets and sessions as they were", async () => {
  const [one = 0] = await freePorts(1);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", () => resolve()));
  const address = other.address();
  const taken = typeof address === "object" && address !== null ? address.port : 0;
  const plugins = [sink()];
  const server = await mailhost({ plugins, listeners: [at("a", one)] }).listen();
  await expect(server.reload({ plugins, listeners: [at("b", one), at("c", taken)] })).rejects.toThrow(/is taken/);
  expect(server.addresses.map(({ listener, port }) => [listener, port])).toEqual([["a", one]]);
  expect(await connect(one).hear(1)).toEqual(["220 a.example.com ESMTP"]);
  await server.close();
  await new Promise((resolve) => other.close(resolve));
});
