import { type Socket, connect } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { emptyFolder } from "../support/dialogue.ts";
import type { SocketClient } from "../support/socket.ts";
import { letter, subjectsIn } from "./house.ts";
import { StoringServer, below, handIn } from "./storing-server.ts";

// A process that may have a hundred descriptors, and has none left while it stores mail: whoever is served hears 451 or
// 250, nothing is lost or torn, and once descriptors are returned all is as it was. Descriptors are looked up in /proc.

const most = 100;
const busy = "451 4.3.0 Temporary local problem";
const to = ["jane@example.com"];

interface House {
  readonly server: StoringServer;
  readonly root: string;
}

async function open(): Promise<House> {
  const folder = emptyFolder();
  const prefix = ["sh", "-c", `ulimit -n ${most}; exec "$@"`, "sh"];
  const root = join(folder, "mail");
  return { server: await StoringServer.start({ prefix, root, spool: folder, memory: 0 }), root };
}

async function greeted(server: StoringServer, count: number): Promise<SocketClient[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => server.greet()));
  return clients.filter((client) => client !== undefined);
}

/** Everything that was taken is there, whole, and nothing else. */
function expectOnly({ root }: House, taken: readonly string[]): void {
  expect(subjectsIn(join(root, "example.com/jane/new"))).toEqual(taken.toSorted());
  expect(below(root)).toHaveLength(taken.length);
}

/** Connections that say nothing, and take every descriptor that is or becomes free until they are told to go. */
class Crowd {
  readonly #sockets = new Set<Socket>();
  /** Sent away without a word: the server had no descriptor for them. */
  turnedAway = 0;
  #stays = true;

  constructor(port: number) {
    onTestFinished(() => this.leave());
    for (let newcomers = 0; newcomers < 10; newcomers += 1) void this.#come(port);
  }

  async #come(port: number): Promise<void> {
    while (this.#stays) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      this.#sockets.add(socket);
      const heard = await new Promise((resolve) => {
        socket.once("data", () => resolve(true)).once("close", () => resolve(false));
      });
      if (heard === true) continue;
      this.#sockets.delete(socket);
      this.turnedAway += 1;
    }
  }

  leave(): void {
    this.#stays = false;
    for (const socket of this.#sockets) socket.destroy();
  }
}

describe.skipIf(process.platform !== "linux")(`with ${most} descriptors`, { timeout: 60_000 }, () => {
  test("all taken by connections while mail comes in, and returned", async () => {
    const house = await open();
    const { server } = house;
    const clients = await greeted(server, 8);
    expect(clients).toHaveLength(8);
    const taken: string[] = [];
    const hand = async (client: SocketClient, subject: string): Promise<string> => {
      const reply = await handIn(client, { subject, to, lines: 500 });
      if (reply.startsWith("250 ")) taken.push(subject);
      else expect(reply).toBe(busy);
      return reply;
    };
    for (const [at, client] of clients.entries()) expect(await hand(client, `before${at}`)).toMatch(/^250 /);
    const before = server.descriptors;

    const crowd = new Crowd(server.port);
    // Each goes on until it was refused three times; only then there is nothing left for anybody
    const served = clients.map(async (client, at) => {
      for (let number = 0, refused = 0; refused < 3; number += 1)
        if ((await hand(client, `c${at}n${number}`)) === busy) refused += 1;
    });
    await Promise.all(served);
    // It hears of it a moment after those who were served
    await expect.poll(() => crowd.turnedAway, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(server.descriptors).toBeGreaterThan(most - 10);
    expectOnly(house, taken);

    crowd.leave();
    await expect.poll(() => server.descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before);
    const newcomers = await greeted(server, 20);
    expect(newcomers).toHaveLength(20);
    for (const [at, client] of [...clients, ...newcomers].entries())
      expect(await hand(client, `after${at}`)).toMatch(/^250 /);
    expectOnly(house, taken);
    expect(server.stands).toBe(true);
  });

  test("all taken by messages that come in, and returned", async () => {
    const house = await open();
    const { server } = house;
    const clients = await greeted(server, 50);
    expect(clients).toHaveLength(50);
    const before = server.descriptors;
    // Bodies that do not end yet: each wants a file beside its connection
    const lines = 4000;
    await Promise.all(
      clients.map(async (client, at) => {
        for (const command of ["MAIL FROM:<>", `RCPT TO:<${to[0]}>`, "DATA"]) await client.ask(command);
        client.send(letter(`during${at}`, lines));
      }),
    );
    await expect.poll(() => server.descriptors, { timeout: 10_000 }).toBeGreaterThanOrEqual(most);
    expect(await server.greet()).toBe(undefined);
    const replies = await Promise.all(clients.map((client) => client.ask(".")));
    expect(replies).toContain(busy);
    const taken = replies.flatMap((reply, at) => (reply.startsWith("250 ") ? [`during${at}`] : []));
    expect(replies.filter((reply) => reply === busy)).toHaveLength(clients.length - taken.length);
    expectOnly(house, taken);

    await expect.poll(() => server.descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before);
    const newcomers = await greeted(server, 5);
    expect(newcomers).toHaveLength(5);
    for (const [at, client] of [...clients, ...newcomers].entries()) {
      expect(await handIn(client, { subject: `after${at}`, to, lines })).toMatch(/^250 /);
      taken.push(`after${at}`);
    }
    expectOnly(house, taken);
    expect(server.stands).toBe(true);
  });
});
