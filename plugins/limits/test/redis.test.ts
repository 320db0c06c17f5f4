import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { host, sink } from "@mailhost/testkit";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { lacks } from "../../../test/support/tools.ts";
import { type LimitsOptions, limits } from "../src/index.ts";
import { banner, greeted, off, welcome } from "./kit.ts";
import { login, password } from "./login.ts";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A Redis of this test alone, which keeps nothing on disk. */
async function startRedis(port: number): Promise<ChildProcess> {
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp"];
  const child = spawn("redis-server", [...options, "--requirepass", "secret"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const text of child.stdout) if (String(text).includes("Ready to accept connections")) break;
  child.stdout.resume();
  return child;
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

// Debian's redis-server
describe.skipIf(lacks("redis-server"))("a Redis, named in one line", { timeout: 30_000 }, () => {
  let redis: ChildProcess | undefined;
  let port = 0;
  let names = 0;

  beforeAll(async () => {
    port = await freePort();
    redis = await startRedis(port);
  });
  afterAll(() => stop(redis));

  /** Two servers, and a name of their own for the plugin: keys of other tests are not theirs. */
  async function two(options: LimitsOptions) {
    names += 1;
    const make = async () => {
      const store = `redis://:secret@127.0.0.1:${port}`;
      const plugin = limits({ ...off, ...options, store }, { as: `limits${names}` });
      const server = await host({ plugins: [login(), sink(), plugin] });
      onTestFinished(() => server.close());
      await new Promise((resolve) => setTimeout(resolve, 200)); // until both have their connection
      return server;
    };
    return [await make(), await make()] as const;
  }

  const connections = { address: { points: 3, duration: 60, blockDuration: 120 }, network: false } as const;

  test("counts for two servers", async () => {
    const [first, second] = await two({ connections });
    for (const server of [first, second, first]) expect(await banner(server)).toBe(welcome);
    for (const server of [first, second]) expect(await banner(server)).toMatch(/^421 4\.7\.0 /);
    expect(await banner(second, "2001:db8::1")).toBe(welcome);
    expect([...first.log, ...second.log].filter(({ level }) => level === "error")).toEqual([]);
  });

  test("knows of wrong passwords said to another server, and of names of any characters", async () => {
    const rate = { points: 2, duration: 60 };
    const [first, second] = await two({ authFailures: { address: false, network: false, identity: rate } });
    const name = "jané: \r\nFLUSHALL\r\n*";
    for (const [server, client] of [[first, "192.0.2.1"], [second, "198.51.100.1"]] as const) {
      const speaker = await greeted(server, client);
      expect(await speaker.ask(`AUTH XWORD ${password(name, "wrong")}`)).toEqual([expect.stringMatching(/^535 /)]);
    } // prettier-ignore
    const speaker = await greeted(first, "203.0.113.1");
    expect(await speaker.ask(`AUTH XWORD ${password(name)}`)).toEqual([expect.stringMatching(/^421 4\.7\.0 /)]);
  });

  test("that is killed and comes again stops no mail", async () => {
    const [first, second] = await two({ connections });
    expect(await banner(first)).toBe(welcome);
    await stop(redis);
    for (let count = 0; count < 3; count += 1) expect(await banner(first)).toBe(welcome);
    expect(await banner(first)).toMatch(/^421 /);
    expect(await banner(second)).toBe(welcome);
    expect(first.log.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^the store of limits fails: /),
    );
    redis = await startRedis(port);
    await expect.poll(async () => {
      second.clock.advance(5000);
      await banner(second, "192.0.2.9");
      return second.log.map(({ message }) => message);
    }, { timeout: 10_000 }).toContain("the store of limits answers again"); // prettier-ignore
    expect(JSON.stringify([...first.log, ...second.log])).not.toContain("secret");
  });

  test("is left when the server closes, and kept over a reload", async () => {
    const [first] = await two({ connections });
    const clients = () => execFileSync("redis-cli", ["-p", String(port), "-a", "secret", "--no-auth-warning", "client", "list"]).toString().split("\n").filter((line) => !line.includes("redis-cli") && line !== "").length; // prettier-ignore
    const before = clients();
    const store = `redis://:secret@127.0.0.1:${port}`;
    await first.reload({ plugins: [sink(), limits({ ...off, connections, store }, { as: `limits${names}` })] });
    expect(await banner(first)).toBe(welcome);
    expect(clients()).toBe(before);
    await first.close();
    await expect.poll(clients).toBe(before - 1);
  });
});

test("a Redis that is not there stops no start and no mail", async () => {
  const store = `redis://127.0.0.1:${await freePort()}`;
  const server = await host({
    plugins: [sink(), limits({ ...off, store, connections: { address: { points: 1, duration: 60 } } })],
  });
  onTestFinished(() => server.close());
  expect(await banner(server)).toBe(welcome);
  expect(await banner(server)).toMatch(/^421 /);
  expect(server.log.filter(({ level }) => level === "error")).toHaveLength(1);
});
