import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Load, Session, storedBelow } from "./load.ts";
import { type Ran, type Served, folder, run, serve, write } from "./support.ts";

// New code comes with new workers: under load nobody is refused or cut off, nothing acknowledged is lost, and the code
// that stands on disk is what a new session meets.

const replacements = 10;

const configuration = JSON.stringify({
  name: "mx.example.com",
  listeners: [{ name: "mx", host: "127.0.0.1", port: 0 }],
  plugins: [
    ["addressable", { domains: ["example.com"] }],
    ["maildir", { root: "mail", fsync: false }],
    "./version.ts",
    "./slow.ts",
  ],
  default: { local: "maildir" },
});

/** Tells its version: in the reply to who asks, and in each message. */
const version = (number: number): string => `
import { definePlugin, reject } from "@mailhost/core";
const no = reject("This is version ${number}", { code: 550, status: "5.7.1" });
export default definePlugin({ name: "version", version: "1.0.0", core: "^1.0.0", apply(host) {
  host.hooks.rcpt.tap("version", ({ address }) => (address.localPart === "version" ? no : undefined));
  host.hooks.data.tap("version", (message) => message.addField("X-Version", "${number}"));
} });
`;

/** A second copy of some messages, which is staged no sooner than somebody says \`go\`. */
const slow = `
import { existsSync, readdirSync } from "node:fs";
import { definePlugin } from "@mailhost/core";
export default definePlugin({ name: "slow", version: "1.0.0", core: "^1.0.0", apply(host) {
  host.extend({ transports: [{ kind: "local", phases: "two" }] });
  host.hooks.rcpt.tap("slow", (recipient) => {
    if (recipient.address.localPart === "slow") recipient.routeTo({ transport: "slow" });
  });
  host.hooks.queue.for("slow").tapPromise("slow", async (delivery) => {
    while (!existsSync("go")) await new Promise((resolve) => setTimeout(resolve, 10));
    delivery.stage({ commit() {}, abort() {} });
  });
} });
`;

async function versionNow(port: number): Promise<number> {
  const session = await new Session(port).greet();
  await session.say("MAIL FROM:<>", "250");
  const said = await session.say("RCPT TO:<version@example.com>", "550");
  await session.quit();
  return Number(/version (\d+)/.exec(said)?.[1]);
}

const replaced = (text: string): number => text.match(/"worker \d+ replaced by \d+"/g)?.length ?? 0;

async function start(cwd: string, workers: number): Promise<Served & { replace(): Promise<Ran> }> {
  const args = ["--workers", String(workers), "--control", "control"];
  const served = await serve(args, { cwd, listeners: workers });
  await served.until((text) => text.includes('"workers listen"'));
  return { ...served, replace: () => run(["start", "--replace", "--control", "control"], { cwd }) };
}

test(`a worker is replaced ${replacements} times under load`, { timeout: 90_000 }, async () => {
  const cwd = folder({ "mailhost.config.json": configuration, "version.ts": version(0), "slow.ts": slow });
  const served = await start(cwd, 1);
  const [port = 0] = served.ports;
  const load = new Load(port, 20);
  const kept: { readonly session: Session; readonly version: number }[] = [];
  for (let number = 1; number <= replacements; number += 1) {
    kept.push({ session: await new Session(port).greet(), version: number - 1 });
    write(cwd, { "version.ts": version(number) });
    // By the command, and by the signal
    if (number % 5 === 0) expect(await served.replace()).toMatchObject({ code: 0, err: "" });
    else served.process.kill("SIGUSR2");
    await served.until((text) => replaced(text) === number);
    expect(await versionNow(port)).toBe(number);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  // A session that came before finishes with the code that it met
  for (const [index, { session }] of kept.entries()) load.delivered.push(await session.deliver(`kept-${index}`));
  for (const { session } of kept) await session.quit();
  const stored = storedBelow(join(cwd, "mail"));
  expect([...stored.keys()].toSorted()).toEqual(load.delivered.map(({ id }) => id).toSorted());
  for (const [index, one] of kept.entries())
    expect(stored.get(`kept-${index}`)?.[0]?.text).toContain(`X-Version: ${one.version}\n`);
  const gone = (text: string): number => text.match(/replaced before, ended with code 0/g)?.length ?? 0;
  await served.until((text) => gone(text) === replacements);
  served.process.kill("SIGTERM");
  expect(await served.ended()).toBe(0);
});

test("a successor that cannot start changes nothing, and whoever asked hears why", { timeout: 60_000 }, async () => {
  const cwd = folder({ "mailhost.config.json": configuration, "version.ts": version(0), "slow.ts": slow });
  const served = await start(cwd, 2);
  const [port = 0] = served.ports;
  const session = await new Session(port).greet();
  write(cwd, { "version.ts": "export default {" });
  const broken = await served.replace();
  expect(broken).toMatchObject({ code: 1, out: "" });
  expect(broken.err).toMatch(
    /no worker was replaced: ended with code 78: [^]*plugins\[2\][^]*version\.ts[^]*syntax error[^]*Mend the line/,
  );
  expect(served.err()).toContain("no worker was replaced: ended with code 78");
  write(cwd, { "version.ts": version(1), "mailhost.config.json": configuration.replace("mx.example.com", "no name") });
  served.process.kill("SIGUSR2");
  await served.until((text) => /no worker was replaced: [^\n]*no name[^\n]* is no host name/.test(text));
  expect(await versionNow(port)).toBe(0);
  write(cwd, { "mailhost.config.json": configuration });
  const mended = await served.replace();
  expect(mended).toMatchObject({ code: 0, err: "" });
  expect(mended.out).toMatch(/^(worker \d+ replaced by \d+\n){2}$/);
  expect(await versionNow(port)).toBe(1);
  await session.deliver("kept");
  // A drain does not wait for sessions of workers that were replaced, no longer than for others
  served.process.kill("SIGTERM");
  expect(await session.expect("421")).toContain("4.3.2");
  expect(await served.ended()).toBe(0);
});

test("what the old worker is storing is not swept by the new one", { timeout: 60_000 }, async () => {
  const cwd = folder({ "mailhost.config.json": configuration, "version.ts": version(0), "slow.ts": slow });
  const served = await start(cwd, 1);
  const [port = 0] = served.ports;
  const session = await new Session(port).greet();
  await session.say("MAIL FROM:<>", "250");
  for (const local of ["jane", "slow"]) await session.say(`RCPT TO:<${local}@example.com>`, "250");
  await session.say("DATA", "354");
  const answered = session.say("Message-ID: <staged>\r\n\r\nHello\r\n.", "250");
  const tmp = join(cwd, "mail/example.com/jane/tmp");
  await expect.poll(() => existsSync(tmp) && readdirSync(tmp)).toHaveLength(1);
  expect(await served.replace()).toMatchObject({ code: 0 });
  // Sweeping begins before a worker listens: this one's is over when its successor serves
  expect(await served.replace()).toMatchObject({ code: 0 });
  await (await new Session(port).greet()).deliver("other");
  expect(readdirSync(tmp)).toHaveLength(1);
  write(cwd, { go: "" });
  await answered;
  await session.quit();
  expect([...storedBelow(join(cwd, "mail")).keys()].toSorted()).toEqual(["other", "staged"]);
});

test("--replace says what it lacks", async () => {
  const cwd = folder();
  expect(await run(["start", "--replace"], { cwd })).toMatchObject({
    code: 2,
    err: expect.stringContaining("--control"),
  });
  const nobody = await run(["start", "--replace", "--control", "control"], { cwd });
  expect(nobody).toMatchObject({
    code: 1,
    err: expect.stringContaining("nobody answers at control. Start the server"),
  });
  expect(await run(["start", "--control", "control"], { cwd })).toMatchObject({
    code: 2,
    err: expect.stringContaining("--control needs --workers"),
  });
});
