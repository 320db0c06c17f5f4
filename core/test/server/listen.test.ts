import { type AddressInfo, createServer } from "node:net";
import { readFileSync } from "node:fs";
import { ConfigurationError, type MailhostOptions, coreVersion, mailhost } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { describe, expect, onTestFinished, test } from "vitest";
import { plugin, recorder, turn } from "../support/dialogue.ts";
import { connect, listening } from "../support/sockets.ts";

const local = { host: "127.0.0.1", port: 0 };

/** A port of 127.0.0.1 that is taken. */
async function taken(): Promise<number> {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  return (other.address() as AddressInfo).port;
}

const problemOf = async (options: MailhostOptions): Promise<ConfigurationError["problems"]> => {
  const server = mailhost({ plugins: [sink()], log: recorder(), ...options });
  const error: unknown = await server.listen().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigurationError);
  expect(server.addresses).toEqual([]);
  return (error as ConfigurationError).problems;
};

describe("listening", () => {
  test("several listeners, each with its own name and place", async () => {
    const { server } = await listening({
      plugins: [sink()],
      listeners: [
        { ...local, name: "one", serverName: "one.example" },
        { host: "::1", port: 0, serverName: "two.example" },
      ],
    });
    expect(server.addresses.map(({ listener, address }) => [listener, address])).toEqual([
      ["one", "127.0.0.1"],
      ["listener-1", "::1"],
    ]);
    const caller = connect(server.addresses[0]?.port ?? 0);
    expect(await caller.hear(1)).toEqual(["220 one.example ESMTP"]);
  });

  test("on the port a program names", async () => {
    const server = mailhost({
      name: "mx.example.com",
      plugins: [sink()],
      log: recorder(),
      listeners: [{ port: 1, mode: "submission" }],
    });
    onTestFinished(() => server.close());
    await server.listen(0, "127.0.0.1");
    expect(server.addresses).toHaveLength(1);
    expect(server.generations[0]?.listener.mode).toBe("submission");
    const plain = mailhost({ plugins: [sink()], log: recorder() });
    onTestFinished(() => plain.close());
    await plain.listen(0, "::1");
    expect(plain.addresses).toMatchObject([{ address: "::1" }]);
  });

  test("on the port a program names, though another was prepared", async () => {
    const server = mailhost({ plugins: [sink()], log: recorder(), listeners: [{ host: "::1", port: 0 }] });
    onTestFinished(() => server.close());
    await server.prepare();
    await server.listen(0, "127.0.0.1");
    expect(server.addresses.map(({ address }) => address)).toEqual(["127.0.0.1"]);
  });

  test("a port that is taken is told, and nothing listens", async () => {
    const port = await taken();
    expect(await problemOf({ listeners: [local, { host: "127.0.0.1", port, name: "b" }] })).toEqual([
      {
        code: "LISTEN_FAILED",
        where: "listeners[1]",
        what: `cannot listen on 127.0.0.1:${port}: port ${port} is taken`,
        mend: `Stop the other server (ss -ltnp 'sport = :${port}' names it) or use another port.`,
      },
    ]);
  });

  test("every port that is taken is told, not the first alone", async () => {
    const ports = [await taken(), await taken()];
    const listeners = ports.map((port) => ({ host: "127.0.0.1", port }));
    expect(await problemOf({ listeners: [local, ...listeners] })).toMatchObject([
      { where: "listeners[1]", what: `cannot listen on 127.0.0.1:${ports[0]}: port ${ports[0]} is taken` },
      { where: "listeners[2]", what: `cannot listen on 127.0.0.1:${ports[1]}: port ${ports[1]} is taken` },
    ]);
  });

  test("an address this machine lacks is told", async () => {
    expect(await problemOf({ listeners: [{ host: "192.0.2.77", port: 0 }] })).toMatchObject([
      { code: "LISTEN_FAILED", what: "cannot listen on 192.0.2.77:0: this machine has no such address" },
    ]);
  });

  test("a descriptor that is no socket is told", async () => {
    expect(await problemOf({ listeners: [{ fd: 99_999 }] })).toMatchObject([
      { code: "LISTEN_FAILED", what: expect.stringContaining("fd 99999") },
    ]);
  });
});

describe("reload", () => {
  const options = (name: string, more: Partial<MailhostOptions> = {}): MailhostOptions => ({
    name,
    plugins: [sink()],
    log: recorder(),
    listeners: [local],
    ...more,
  });

  test("new connections get the new generation, open ones finish on the old", async () => {
    const { server, port } = await listening(options("old.example"));
    const old = connect(port);
    expect(await old.hear(1)).toEqual(["220 old.example ESMTP"]);
    await server.reload(options("new.example"));
    expect(server.addresses[0]?.port).toBe(port);
    expect(await connect(port).hear(1)).toEqual(["220 new.example ESMTP"]);
    old.say("HELO client.test");
    expect(await old.hear(1)).toEqual(["250 old.example"]);
  });

  test("a listener that is no longer named closes, a new one opens, and open sessions go on", async () => {
    const { server, port } = await listening(options("old.example"));
    const old = connect(port);
    await old.hear(1);
    await server.reload(options("new.example", { listeners: [{ ...local, name: "fresh" }] }));
    expect(server.addresses.map(({ listener }) => listener)).toEqual(["fresh"]);
    expect(await connect(server.addresses[0]?.port ?? 0).hear(1)).toEqual(["220 new.example ESMTP"]);
    old.say("HELO client.test", "QUIT");
    expect(await old.hear(2)).toEqual(["250 old.example", "221 2.0.0 Bye"]);
    const refused = connect(port);
    await refused.closed;
    expect(await refused.hear(1)).toEqual([]);
  });

  test("a session on a listener that was left ends with its time", async () => {
    const { server, port } = await listening(options("old.example", { timeouts: { session: 50 } }));
    const old = connect(port);
    await old.hear(1);
    await server.reload(options("new.example", { listeners: [{ ...local, name: "fresh" }] }));
    expect(await old.hear(1)).toEqual([expect.stringMatching(/^421 4\./)]);
  });

  test("the folder for large bodies and the memory for all are new too, for new connections", async () => {
    const log = recorder();
    const keeps = (spool: string) =>
      options("mx.example", { spool, log, limits: { memoryOctets: spool === "/dev/null" ? 0 : 1024 * 1024 } });
    const { server, port } = await listening(keeps("/tmp"));
    const deliver = async (): Promise<string | undefined> => {
      const caller = connect(port);
      const body = Array.from({ length: 400 }, () => "x".repeat(70));
      caller.say("HELO client.test", "MAIL FROM:<>", "RCPT TO:<joe@example.com>", "DATA");
      await caller.hear(5);
      caller.say(...body, ".");
      return (await caller.hear(1)).at(-1);
    };
    expect(await deliver()).toMatch(/^250 2/);
    await server.reload(keeps("/dev/null"));
    expect(await deliver()).toMatch(/^4\d\d 4/); // there is no folder to spool to
    await server.reload(keeps("/tmp"));
    expect(await deliver()).toMatch(/^250 2/);
  });

  test("a listener of the same name may move", async () => {
    const { server, port } = await listening(options("old.example", { listeners: [{ ...local, name: "mx" }] }));
    await server.reload(options("new.example", { listeners: [{ host: "::1", port: 0, name: "mx" }] }));
    expect(server.addresses).toMatchObject([{ listener: "mx", address: "::1" }]);
    const refused = connect(port);
    await refused.closed;
    expect(await refused.hear(1)).toEqual([]);
  });

  test("any error keeps the old generation", async () => {
    const { server, port } = await listening(options("old.example"));
    await expect(server.reload(options("new.example", { plugins: [] }))).rejects.toThrow("no plugin takes messages");
    const busy = await taken();
    const moved = [local, { host: "127.0.0.1", port: 0, name: "extra" }, { host: "127.0.0.1", port: busy, name: "b" }];
    await expect(server.reload(options("new.example", { listeners: moved }))).rejects.toThrow("is taken");
    expect(server.addresses).toHaveLength(1);
    expect(await connect(port).hear(1)).toEqual(["220 old.example ESMTP"]);
  });
});

test("a listener cannot change its host alone, and is told so", async () => {
  const { server, port } = await listening({ plugins: [sink()], listeners: [{ ...local, name: "mx" }] });
  const own = mailhost({ plugins: [sink()], log: recorder(), listeners: [{ host: "127.0.0.1", port }] });
  await server.close();
  onTestFinished(() => own.close());
  await own.listen();
  const error: unknown = await own
    .reload({ plugins: [sink()], log: recorder(), listeners: [{ host: "0.0.0.0", port }] })
    .catch((reason: unknown) => reason);
  expect((error as ConfigurationError).problems).toMatchObject([
    { what: `cannot listen on 0.0.0.0:${port}: port ${port} is taken`, mend: expect.stringContaining("Restart it") },
  ]);
});

describe("reloads", () => {
  const counted = (name: string, diary: string[]): MailhostOptions => ({
    name,
    plugins: [
      sink(),
      plugin("counted", (host) => {
        diary.push(`open ${name}`);
        host.onClose(() => void diary.push(`close ${name}`));
      }),
    ],
    log: recorder(),
    listeners: [local],
  });

  test("at once are made one after the other, and no generation is forgotten", async () => {
    const diary: string[] = [];
    const { server, port } = await listening(counted("a.example", diary));
    await Promise.all([server.reload(counted("b.example", diary)), server.reload(counted("c.example", diary))]);
    expect(await connect(port).hear(1)).toEqual(["220 c.example ESMTP"]);
    await server.close();
    const closed = diary.filter((line) => line.startsWith("close")).toSorted();
    expect(closed).toEqual(["close a.example", "close b.example", "close c.example"]);
  });

  test("under way when the server closes leave nothing open, and later ones are refused", async () => {
    const diary: string[] = [];
    const { server } = await listening(counted("a.example", diary));
    const reloaded = server.reload(counted("b.example", diary)).catch(() => {});
    await server.close();
    await reloaded;
    await expect(server.reload(counted("c.example", diary))).rejects.toThrow("the server is closed");
    expect(diary.filter((line) => line.startsWith("open"))).toHaveLength(
      diary.filter((line) => line.startsWith("close")).length,
    );
    expect(server.addresses).toEqual([]);
  });
});

describe("handing over", () => {
  test("takes no new connections, waits for open sessions and closes what plugins opened", async () => {
    const diary: string[] = [];
    const notes = plugin("notes", (host) => host.onClose(() => void diary.push("closed")));
    const { server, port } = await listening({ plugins: [sink(), notes] });
    const caller = connect(port);
    await caller.hear(1);
    let over = Promise.resolve();
    await new Promise<void>((left) => {
      over = server.handOver(left);
    });
    expect(server.addresses).toEqual([]);
    const refused = connect(port);
    await refused.closed;
    expect(await refused.hear(1)).toEqual([]);
    caller.say("HELO client.test", "MAIL FROM:<>", "RCPT TO:<joe@example.com>", "DATA");
    await caller.hear(4);
    caller.say("late", ".");
    expect(await caller.hear(1)).toEqual([expect.stringMatching(/^250 2\.0\.0/)]);
    expect(diary).toEqual([]);
    caller.say("QUIT");
    await over;
    expect(diary).toEqual(["closed"]);
    await expect(server.reload({ plugins: [sink()] })).rejects.toThrow("the server is closed");
  });

  test("is over at once when nobody is there, and close cuts it short", async () => {
    const { server: idle } = await listening({ plugins: [sink()] });
    await idle.handOver();
    const { server, port } = await listening({ plugins: [sink()] });
    const caller = connect(port);
    await caller.hear(1);
    const over = server.handOver();
    await expect.poll(() => server.addresses).toEqual([]);
    await server.close();
    await over;
    expect(await caller.hear(1)).toEqual(["421 4.3.2 Service shutting down, try again later"]);
  });
});

describe("close", () => {
  test("says 421 to whoever is idle, and is over when all are", async () => {
    const { server, port } = await listening({ plugins: [sink()] });
    const caller = connect(port);
    await caller.hear(1);
    const closing = server.close();
    expect(await caller.hear(1)).toEqual(["421 4.3.2 Service shutting down, try again later"]);
    caller.socket.end();
    await closing;
    expect(server.addresses).toEqual([]);
    await server.close();
  });

  test("waits no longer than the drain allows", async () => {
    const reasons: string[] = [];
    const slow = plugin("slow", ({ hooks }) =>
      hooks.ehlo.tapPromise("slow", (_greeting, _session, signal) => {
        signal.addEventListener("abort", () => reasons.push((signal.reason as Error).message));
        return new Promise(() => {});
      }),
    );
    const { server, port } = await listening({ plugins: [sink(), slow], timeouts: { drain: 10 } });
    const caller = connect(port);
    await caller.hear(1);
    caller.say("HELO client.test");
    await turn();
    await turn();
    await server.close();
    expect(reasons).toEqual(["shutdown"]);
  });

  test("does not wait for a listener that moved longer than for the others", async () => {
    const { server, port } = await listening({ plugins: [sink()], listeners: [{ ...local, name: "mx" }] });
    const caller = connect(port);
    caller.say("HELO client.test", "MAIL FROM:<>", "RCPT TO:<joe@example.com>", "DATA");
    await caller.hear(5);
    await server.reload({
      name: "mx.example.com",
      log: recorder(),
      plugins: [sink()],
      listeners: [{ host: "::1", port: 0, name: "mx" }],
      timeouts: { drain: 10 },
    });
    await server.close();
    expect(await caller.hear(1)).toEqual(["421 4.3.2 Service shutting down, try again later"]);
  });

  test("while the server is about to listen leaves nothing open", async () => {
    for (const wait of [async () => {}, turn]) {
      let opened = 0;
      const slow = plugin("slow", async (host) => {
        opened += 1;
        host.onClose(() => void (opened -= 1));
        await turn();
      });
      const server = mailhost({ plugins: [sink(), slow], log: recorder(), listeners: [local] });
      const listen = server.listen().catch((error: Error) => error.message);
      await wait();
      await server.close();
      await listen;
      expect(server.addresses).toEqual([]);
      expect(opened).toBe(0);
    }
  });

  test("while a reload takes its time lets nobody in, tells who is idle, and closes what the reload opens", async () => {
    const { server, port } = await listening({ plugins: [sink()] });
    const caller = connect(port);
    await caller.hear(1);
    const diary: string[] = [];
    let go = (): void => {};
    const ready = new Promise<void>((resolve) => (go = resolve));
    const slow = plugin("slow", (host) => {
      host.onClose(() => void diary.push("closed"));
      return ready;
    });
    const more = { listeners: [local, { ...local, name: "more" }] };
    const reloaded = server
      .reload({ plugins: [sink(), slow], log: recorder(), ...more })
      .catch((error: Error) => error);
    await turn();
    const closing = server.close();
    expect(await caller.hear(1)).toEqual(["421 4.3.2 Service shutting down, try again later"]);
    const refused = connect(port);
    await refused.closed;
    expect(await refused.hear(1)).toEqual([]);
    go();
    await closing;
    await reloaded;
    expect(diary).toEqual(["closed", "closed"]);
    expect(server.addresses).toEqual([]);
  });

  test("does not wait for a reload that never ends, and what it would have opened stays shut", async () => {
    const diary: string[] = [];
    const { server, port } = await listening({ plugins: [sink()], timeouts: { drain: 50 } });
    let go = (): void => {};
    const hanging = plugin("hanging", async (host) => {
      host.onClose(() => void diary.push("closed"));
      await new Promise<void>((resolve) => (go = resolve));
    });
    const reloaded = server
      .reload({ plugins: [sink(), hanging], log: recorder(), listeners: [{ ...local, name: "other" }] })
      .catch((error: Error) => error.message);
    await turn();
    await server.close();
    const refused = connect(port);
    await refused.closed;
    go();
    expect(await reloaded).toBe("the server is closed");
    expect(diary).toEqual(["closed"]);
    expect(server.addresses).toEqual([]);
  });

  test("before anything was opened is harmless", async () => {
    await mailhost({ plugins: [sink()] }).close();
  });
});

test("a dialogue wants a server that is prepared, and a listener that is there", async () => {
  const server = mailhost({ plugins: [sink()] });
  const wire = { write: () => true, end() {}, pause() {}, resume() {}, upgrade() {} };
  expect(() => server.dialogue(wire)).toThrow("call prepare first");
  await server.prepare();
  expect(await server.prepare()).toBe(server);
  expect(() => server.dialogue(wire, { listener: "other" })).toThrow("there is no listener other");
  const engine = server.dialogue(wire, { listener: "2525" });
  expect(engine.session.client.address).toBe("127.0.0.1");
  engine.gone("done");
  await server.close();
});

test("the version of core is that of its package", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(coreVersion).toBe(manifest.version);
});

test("source is what runs, not a build of it", () => {
  expect(import.meta.resolve("@mailhost/core")).toMatch(/core\/src\/index\.ts$/);
  let stack = "";
  try {
    mailhost({ plugins: [] }).dialogue({} as never);
  } catch (error) {
    stack = error instanceof Error ? (error.stack ?? "") : "";
  }
  expect(stack).toContain("core/src/server/mailhost.ts");
  expect(stack).not.toContain("core/dist/");
});
