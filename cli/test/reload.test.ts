import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Load, Session, storedBelow } from "./load.ts";
import { folder, serve, write } from "./support.ts";

// SIGHUP a hundred times while twenty clients come and go: every session lives on one generation from its 220 to its
// end, nobody is refused or cut off, nothing acknowledged is lost, and what is over is gone from memory.

const reloads = 100;

/** Marks each message, notes what was closed, and tells how many of its generations are in memory to whoever greets as `count.example`. */
const stamp = `
import { appendFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { definePlugin } from "@mailhost/core";
const made = [];
setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc");
export default definePlugin<{ generation: number }>({
  name: "stamp", version: "1.0.0", core: "^1.0.0",
  apply(host, { generation }) {
    if (typeof generation !== "number") throw new Error("which generation is it?");
    appendFileSync("opened", generation + "\\n");
    const ballast = { generation, host, octets: Buffer.alloc(1024 * 1024, 1) };
    made.push(new WeakRef(ballast));
    host.hooks.data.tap("stamp", (message) => message.addField("X-Generation", String(generation * ballast.octets[0])));
    host.hooks.ehlo.tapPromise("count", async (greeting) => {
      if (greeting.name !== "count.example") return;
      for (let turn = 0; turn < 10; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        gc();
      }
      const alive = made.flatMap((one) => one.deref()?.generation ?? []);
      writeFileSync("alive", alive.join(" "));
    });
    host.onClose(() => appendFileSync("closed", generation + "\\n"));
  },
});
`;

/** The name tells the generation. Where mail lands alternates, and so do the plugins. */
const configuration = (generation: number): string =>
  JSON.stringify(
    {
      name: nameOf(generation),
      listeners: [{ name: "mx", host: "127.0.0.1", port: 0 }],
      plugins: [
        ["addressable", { domains: ["example.com"] }],
        ["maildir", { root: "mail", path: `${placeOf(generation)}/{local}`, fsync: false }],
        ...(hasStamp(generation)
          ? [["./stamp.ts", { generation }]]
          : [["debug-log", { text: false, ndjson: "dialogues" }]]),
      ],
      default: { local: "maildir" },
    },
    undefined,
    2,
  );

const nameOf = (generation: number): string => `mx-${generation}.example.com`;
const placeOf = (generation: number): string => (generation % 2 === 0 ? "even" : "odd");
const hasStamp = (generation: number): boolean => generation % 4 < 2;

test(`${reloads} reloads under load`, { timeout: 60_000 }, async () => {
  const cwd = folder({ "mailhost.config.json": configuration(0), "stamp.ts": stamp });
  const served = await serve(["--quiet", "--log-level", "info"], { cwd });
  const [port = 0] = served.ports;
  const reload = async (text: string, says: RegExp): Promise<string> => {
    write(cwd, { "mailhost.config.json": text });
    const before = served.err().length;
    served.process.kill("SIGHUP");
    await served.until(() => /reloaded.*\n/.test(served.err().slice(before)));
    const said =
      served
        .err()
        .slice(before)
        .split("\n")
        .find((line) => line.includes("reloaded")) ?? "";
    expect(said).toMatch(says);
    return said;
  };
  const load = new Load(port, 20);
  const keepers: Session[] = [];
  for (let generation = 1; generation <= reloads; generation += 1) {
    if (generation % 10 === 0) {
      keepers.push(await new Session(port).greet());
      const wrong = configuration(generation).replace('"root"', '"rot"').replace('"path"', '"paht"');
      const said = await reload(wrong, /not reloaded/);
      expect(said).toMatch(
        /the old one stays in force: mailhost\.config\.json:\d+:\d+ plugins\[1\]\.options\.\w+: .*Did you mean/i,
      );
      expect(await serverNow(port)).toBe(nameOf(generation - 1));
    }
    await reload(configuration(generation), /"configuration reloaded"/);
    expect(await serverNow(port)).toBe(nameOf(generation));
    await load.further(3);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(load.sessions).toBeGreaterThan(3 * reloads);
  // Who came ten, twenty, ... reloads ago delivers by what was in force then
  for (const [index, keeper] of keepers.entries())
    load.delivered.push(await keeper.deliver(`kept-${index}@client.example`));
  for (const keeper of keepers) await keeper.quit();
  check(load, join(cwd, "mail"));

  // What was set up was closed once, a broken one too, and is gone but for the one in force
  const noted = (file: string): number[] =>
    readFileSync(join(cwd, file), "utf8")
      .trim()
      .split("\n")
      .map(Number)
      .toSorted((one, other) => one - other);
  const opened = noted("opened");
  expect(opened.pop()).toBe(reloads);
  expect(opened).toHaveLength(reloads / 2 + reloads / 20);
  await expect.poll(() => noted("closed")).toEqual(opened);
  const counting = new Session(port);
  await counting.expect("220");
  await counting.say("EHLO count.example", "250");
  await counting.quit();
  expect(readFileSync(join(cwd, "alive"), "utf8")).toBe(String(reloads));
});

async function serverNow(port: number): Promise<string> {
  const session = await new Session(port).greet();
  await session.quit();
  return session.server;
}

/** Every 250 is one message in the Maildir, made by the generation that said 220 to its session. */
function check(load: Load, root: string): void {
  const stored = storedBelow(root);
  for (const { id, server } of load.delivered) {
    const generation = Number(/^mx-(\d+)\./.exec(server)?.[1]);
    const [copy, ...more] = stored.get(id) ?? [];
    expect(more).toEqual([]);
    expect(copy?.path.split("/").slice(0, 2), id).toEqual([placeOf(generation), "jane"]);
    expect(/^X-Generation: (\d+)$/m.exec(copy?.text ?? "")?.[1], id).toBe(
      hasStamp(generation) ? String(generation) : undefined,
    );
  }
  expect(stored.size).toBe(load.delivered.length);
}
