import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Ledger } from "../kill/ledger.ts";
import { gauged, lookWhenSettled } from "../soak/gauge.ts";
import { Command, serverFolder } from "../support/command.ts";
import { Clients } from "./clients.ts";

// core/test/session/faults.test.ts has every hook and every way of going wrong, one at a time, without sockets. Here all of
// them come at once, in the real command, under load: `npm run wayward`, with WAYWARD_SECONDS for more of it.

const mebi = 1024 * 1024;
const seconds = Number(process.env["WAYWARD_SECONDS"] ?? 6);
const deadline = 200;
const users = "jane:$2b$04$NUq6ZBrXhvlCCQwEZU/VGuhE2yL49zVNPKYioBFG9K7LavrhS3QdK\n"; // correct horse, at the least cost

const configuration = JSON.stringify({
  name: "mx.example.com",
  plugins: [
    ["addressable", { domains: ["0.example.com", "1.example.com"] }],
    ["maildir", { root: "mail" }],
  ],
  default: { local: "maildir" },
  listeners: [
    {
      name: "wild",
      host: "127.0.0.1",
      port: 0,
      plugins: [
        ["auth-plain", { users: "users", allowInsecure: true }],
        ["./wayward.mjs", { deadline }],
      ],
    },
    { name: "calm", host: "127.0.0.1", port: 0 },
  ],
});

/** What may stand in the log: the plugin's name with what it did, and what nobody would configure. */
const expected = /"msg":"(?:plugin wayward |transport wayward did not stage )|AUTH PLAIN is offered in clear/;

test.skipIf(process.platform !== "linux")(
  "a plugin that goes wrong in every way in every hook harms nobody but those it judges",
  { timeout: 60_000 + seconds * 3000 },
  async () => {
    const plugin = readFileSync(join(import.meta.dirname, "plugin.mjs"), "utf8");
    const folder = serverFolder("wayward", { "mailhost.config.json": configuration, "wayward.mjs": plugin, users });
    chmodSync(join(folder, "users"), 0o600);
    const server = new Command(folder, { ...gauged });
    onTestFinished(async () => {
      server.kill("SIGKILL");
      await server.ended;
      rmSync(folder, { recursive: true, force: true });
    });
    await server.listens(2);
    const [wild = 0, calm = 0] = server.ports;
    const ledger = new Ledger(join(folder, "mail"));
    const clients = new Clients(ledger, Date.now() % 2 ** 31);
    await clients.run(wild, calm, seconds / 2);
    const before = await lookWhenSettled(server);
    await clients.run(wild, calm, seconds);
    const every = join(folder, "all");
    for (let more = 0; more < 20 && !existsSync(every); more += 1) await clients.run(wild, calm, 1);
    const after = await lookWhenSettled(server);
    console.info(clients.counts, {
      heap: after.heap - before.heap,
      descriptors: [before.descriptors, after.descriptors],
    });

    expect(clients.problems).toEqual([]);
    expect(server.complaints.filter((line) => !expected.test(line))).toEqual([]);
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.heap - before.heap).toBeLessThan(8 * mebi);
    ledger.check();
    expect(ledger.problems).toEqual([]);
    expect(ledger.leftovers).toBe(0);
    const taken = new Set(readFileSync(join(folder, "taken"), "utf8").split("\n"));
    expect(clients.wild.filter((id) => !taken.has(id))).toEqual([]);
    server.kill("SIGTERM");
    expect(await server.ended).toEqual({ code: 0, signal: null });
    const counts = JSON.parse(readFileSync(join(folder, "faults.json"), "utf8")) as Record<
      string,
      Record<string, number>
    >;
    const missed = Object.entries(counts).flatMap(([place, its]) =>
      Object.entries(its).flatMap(([way, count]) => (count > 0 ? [] : `${place}: ${way}`)),
    );
    expect([missed, existsSync(every)]).toEqual([[], true]);
  },
);
