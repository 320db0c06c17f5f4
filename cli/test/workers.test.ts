import { existsSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Session } from "./load.ts";
import { type Served, folder, run, serve, takesAll, write } from "./support.ts";
import { Talk } from "./talk.ts";

// `start --workers`: what one process says and does, several say and do as well.

const timeout = 60_000;

const configuration = (name: string, more: object = {}): string =>
  JSON.stringify({ name, listeners: [{ name: "mx", host: "127.0.0.1", port: 0 }], plugins: ["./takes.ts"], ...more });

const files = { "mailhost.config.json": configuration("mx.one.test"), "takes.ts": takesAll };

async function start(cwd: string, workers: number, env: NodeJS.ProcessEnv = {}): Promise<Served> {
  const served = await serve(["--workers", String(workers)], { cwd, env, listeners: workers });
  await served.until((text) => text.includes('"workers listen"'));
  return served;
}

const workersOf = (text: string): number[] =>
  [...text.matchAll(/"pid":(\d+),[^\n]*"msg":"listening"/g)].map(([, pid]) => Number(pid));

async function nameNow(served: Served): Promise<string> {
  // The last one: port 0 is another port where no worker was left
  const [, port] = [...served.err().matchAll(/"port":(\d+),"msg":"listening"/g)].at(-1) ?? [];
  const session = await new Session(Number(port)).greet();
  await session.quit();
  return session.server;
}

/** What came since, once `says` is in it. */
async function said(served: Served, cause: () => void, says: RegExp): Promise<string> {
  const before = served.err().length;
  cause();
  await served.until(() => says.test(served.err().slice(before)));
  return served.err().slice(before);
}

test("one banner, one port, SIGHUP for all, and a drain that exits 0", { timeout }, async () => {
  const cwd = folder(files);
  const served = await start(cwd, 2);
  await served.until((text) => text.includes("for new code"));
  expect(served.out().match(/is listening/g)).toHaveLength(1);
  expect(served.out()).toContain(`2 workers; for new code: kill -USR2 ${served.process.pid}`);
  expect(new Set(served.ports).size).toBe(1);
  expect(new Set(workersOf(served.err())).size).toBe(2);
  const reload = (text: string, says: RegExp): Promise<string> =>
    said(served, () => (write(cwd, { "mailhost.config.json": text }), served.process.kill("SIGHUP")), says);
  const all = await reload(configuration("mx.two.test"), /"workers":2,"msg":"workers reloaded"/);
  expect(all.match(/"configuration reloaded"/g)).toHaveLength(2);
  const none = await reload(configuration("no name"), /no worker was reloaded: worker \d+: [^\n]*is no host name/);
  // The first that cannot is the last that is asked
  expect(none.match(/configuration not reloaded/g)).toHaveLength(1);
  expect(await nameNow(served)).toBe("mx.two.test");
  const talk = new Talk(served.ports[0] ?? 0);
  await talk.hears(/220 /);
  served.process.kill("SIGTERM");
  expect(await talk.closed()).toMatch(/421 4\.3\.2/);
  expect(await served.ended()).toBe(0);
});

test("a worker that dies comes back, and the other one serves meanwhile", { timeout }, async () => {
  const served = await start(folder(files), 2);
  const [victim = 0, other] = workersOf(served.err());
  const says = /"wait":100,[^\n]*another worker starts in 100 ms/;
  await said(served, () => process.kill(victim, "SIGKILL"), says);
  expect(await nameNow(served)).toBe("mx.one.test");
  await served.until((text) => workersOf(text).length === 3);
  expect(served.err()).toContain(`worker ${victim} ended with SIGKILL`);
  expect(workersOf(served.err())).toContain(other);
});

test("workers that die young come back ever later, and what they die of is told", { timeout }, async () => {
  const cwd = folder(files);
  const served = await start(cwd, 1);
  write(cwd, { "mailhost.config.json": configuration("no name") });
  const [victim = 0] = workersOf(served.err());
  const told = await said(served, () => process.kill(victim, "SIGKILL"), /starts in 400 ms/);
  expect(told).toMatch(/starts in 100 ms[^]*ended with SIGKILL[^]*starts in 200 ms[^]*is no host name/);
  write(cwd, { "mailhost.config.json": configuration("mx.two.test") });
  await served.until((text) => workersOf(text).length === 2);
  expect(await nameNow(served)).toBe("mx.two.test");
});

test("a first start that fails says what one process says, once, and does not try again", { timeout }, async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  for (const [text, code] of [
    [configuration("no name", { plugins: ["./takes.ts", "greylist"] }), 78],
    [configuration("mx.one.test", { listeners: [{ host: "127.0.0.1", port }] }), 1],
    [configuration("mx.one.test", { listeners: [{ host: "192.0.2.77", port: 0 }] }), 1],
  ] as const) {
    const cwd = folder({ ...files, "mailhost.config.json": text });
    const starts = [{}, { MAILHOST_WORKERS: "3" }].map((env) => run(["start"], { cwd, env }));
    const [alone, several] = await Promise.all(starts);
    expect(alone?.code).toBe(code);
    expect(several).toEqual(alone);
  }
  other.close();
  const noSocket = folder({
    ...files,
    "mailhost.config.json": configuration("mx.one.test", { listeners: [{ fd: 99 }] }),
  });
  const refused = await run(["start", "--workers", "1"], { cwd: noSocket });
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("cannot listen on fd 99") });
  const wrong = await run(["start"], { cwd: folder(files), env: { MAILHOST_WORKERS: "many" } });
  expect(wrong).toMatchObject({ code: 78, err: expect.stringContaining('"many" is no number of workers') });
  expect((await run(["start", "--workers", "0"], { cwd: folder(files) })).code).toBe(2);
});

test("a file that is no socket is nobody's control socket, and stays", { timeout }, async () => {
  const cwd = folder({ ...files, "precious.txt": "precious" });
  expect(await run(["start", "--workers", "1", "--control", "precious.txt"], { cwd })).toMatchObject({
    code: 1,
    err: expect.stringContaining("precious.txt is there and no socket: use another --control"),
  });
  expect(readFileSync(join(cwd, "precious.txt"), "utf8")).toBe("precious");
});

test("a port that was taken at a reload is free for every worker once it is free", { timeout }, async () => {
  const cwd = folder(files);
  const served = await start(cwd, 2);
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const more = {
    listeners: [
      { name: "mx", host: "127.0.0.1", port: 0 },
      { host: "127.0.0.1", port },
    ],
  };
  write(cwd, { "mailhost.config.json": configuration("mx.two.test", more) });
  const hangUp = (): void => void served.process.kill("SIGHUP");
  const refused = new RegExp(`no worker was reloaded: [^\\n]*port ${port} is taken`);
  await said(served, hangUp, refused);
  await said(served, hangUp, refused);
  await new Promise((resolve) => other.close(resolve));
  await said(served, hangUp, /workers reloaded/);
  // Whoever comes anew asks the primary for that port as if for the first time
  await said(
    served,
    () => served.process.kill("SIGUSR2"),
    /"worker \d+ replaced by \d+"[^]*"worker \d+ replaced by \d+"/,
  );
  expect((await new Session(port).greet()).server).toBe("mx.two.test");
});

test(
  "a socket that a parent handed over is every worker's, and the primary ends when the last is gone",
  { timeout },
  async () => {
    const text = configuration("mx.fd.test", { listeners: [{ fd: 3 }] });
    const parent = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => parent.once("listening", resolve));
    // Node does not type the handle of a server
    // oxlint-disable-next-line no-underscore-dangle -- its name
    const { fd } = (parent as unknown as { _handle: { fd: number } })._handle;
    const cwd = folder({ ...files, "mailhost.config.json": text });
    const served = await serve(["--workers", "2"], { cwd, listeners: 2, hand: fd });
    parent.close();
    expect(await nameNow(served)).toBe("mx.fd.test");
    await served.until((all) => all.includes('"workers listen"'));
    await said(
      served,
      () => served.process.kill("SIGUSR2"),
      /"worker \d+ replaced by \d+"[^]*"worker \d+ replaced by \d+"/,
    );
    expect(await nameNow(served)).toBe("mx.fd.test");
    const [one = 0, other = 0] = workersOf(served.err()).slice(-2);
    process.kill(one, "SIGKILL");
    process.kill(other, "SIGKILL");
    // systemd still has the socket, and starts the whole anew
    expect(await served.ended()).toBe(1);
    expect(served.err()).toContain("handed over is closed with its last worker");
  },
);

test(
  "a release link is followed anew, and the control socket of a primary that was killed is taken over",
  { timeout },
  async () => {
    const base = folder({
      "r1/mailhost.config.json": configuration("mx.one.test"),
      "r1/takes.ts": takesAll,
      "r2/mailhost.config.json": configuration("mx.two.test"),
      "r2/takes.ts": takesAll,
    });
    const current = join(base, "current");
    const control = join(base, "control");
    symlinkSync("r1", current);
    const args = ["--workers", "1", "--control", control];
    const served = await serve(args, { cwd: current, env: { PWD: current } });
    await served.until((text) => text.includes('"workers listen"'));
    expect(await nameNow(served)).toBe("mx.one.test");
    expect(statSync(control).mode & 0o077).toBe(0);
    const second = await run(["start", ...args], { cwd: current });
    expect(second).toMatchObject({ code: 1, err: expect.stringContaining("another mailhost answers") });
    unlinkSync(current);
    symlinkSync("r2", current);
    rmSync(join(base, "r1"), { recursive: true });
    expect(await run(["start", "--replace", "--control", control], { cwd: base })).toMatchObject({ code: 0, err: "" });
    expect(await nameNow(served)).toBe("mx.two.test");
    served.process.kill("SIGKILL");
    await served.ended();
    expect(existsSync(control)).toBe(true);
    const next = await serve(args, { cwd: current });
    await next.until((text) => text.includes('"workers listen"'));
    next.process.kill("SIGTERM");
    expect(await next.ended()).toBe(0);
    expect(existsSync(control)).toBe(false);
  },
);

test("workers whose primary is gone drain", { timeout }, async () => {
  const served = await start(folder(files), 1);
  const talk = new Talk(served.ports[0] ?? 0);
  await talk.hears(/220 /);
  served.process.kill("SIGKILL");
  expect(await talk.closed()).toMatch(/421 4\.3\.2/);
  await served.ended();
  expect(served.err()).toContain("the primary is gone; draining");
});

test("a second SIGTERM ends workers that do not end", { timeout }, async () => {
  const cwd = folder({
    ...files,
    "mailhost.config.json": configuration("mx.slow.test", { plugins: ["./takes.ts", "./slow.ts"] }),
    "slow.ts": `import { definePlugin } from "@mailhost/core";
      export default definePlugin({ name: "slow", version: "1.0.0", core: "^1.0.0", apply(host) {
        host.onClose(() => new Promise((resolve) => setTimeout(resolve, 60_000))); } });`,
  });
  const served = await start(cwd, 1);
  served.process.kill("SIGTERM");
  await served.until((text) => text.includes("once more ends at once"));
  await new Promise((resolve) => setTimeout(resolve, 600));
  served.process.kill("SIGTERM");
  expect(await served.ended()).toBe(1);
});
