import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setUser } from "@mailhost/plugin-auth-plain";
import { createTransport } from "nodemailer";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeCertificate } from "./support/certificate.ts";
import { run } from "./support/run.ts";

const root = join(import.meta.dirname, "..");
const command = join(root, "cli/bin/mailhost.js");
// Inside the repository, where the packages resolve
const work = join(root, "test/examples.work");
const running: ChildProcess[] = [];

beforeEach(() => {
  rmSync(work, { recursive: true, force: true });
  cpSync(join(root, "examples"), work, { recursive: true });
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode === null && child.kill("SIGTERM")) await ended;
  }
  rmSync(work, { recursive: true, force: true });
});

/** Starts it, and gives what it printed once it has said `count` ports, and the ports. */
function start(args: readonly string[], cwd: string, count: number): Promise<{ ports: number[]; said: () => string }> {
  const child = spawn(process.execPath, args, { cwd });
  running.push(child);
  let text = "";
  return new Promise((resolve, reject) => {
    const look = (octets: Buffer): void => {
      text += octets.toString();
      const ports = [...text.matchAll(/"port":(\d+)|listening on 127\.0\.0\.1:(\d+)/g)].map(([, one, other]) =>
        Number(one ?? other),
      );
      if (ports.length >= count) resolve({ ports, said: () => text });
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.once("exit", (code) => reject(new Error(`it ended with ${code}:\n${text}`)));
  });
}

const edit = (file: string, change: (text: string) => string): void =>
  writeFileSync(file, change(readFileSync(file, "utf8")));

const send = (port: number, to: string) =>
  createTransport({ host: "127.0.0.1", port, ignoreTLS: true }).sendMail({
    from: "joe@example.net",
    to,
    subject: "hello",
    text: "It works.",
  });

test("catch-all.ts takes a message for everybody and prints it", { timeout: 30_000 }, async () => {
  edit(join(work, "catch-all.ts"), (text) => text.replace("2525", "0"));
  const { ports, said } = await start(["-C", "@mailhost/source", "--import", "tsx", "catch-all.ts"], work, 1);
  await send(ports[0] ?? 0, "anybody@wherever.test");
  expect(said()).toContain("--- from joe@example.net to anybody@wherever.test");
  expect(said()).toContain("It works.");
});

test(
  "own-plugin checks, starts, refuses whom its plugin refuses, and stores the rest",
  { timeout: 60_000 },
  async () => {
    const folder = join(work, "own-plugin");
    expect(
      await run(process.execPath, [command, "check", "--config", join(folder, "mailhost.config.mts")]),
    ).toMatchObject({ code: 0 });
    const { ports } = await start([command, "start", "--port", "0", "--json-logs"], folder, 1);
    const [port = 0] = ports;
    const rude = createTransport({ host: "127.0.0.1", port, ignoreTLS: true, name: "mx.example.com" });
    await expect(rude.sendMail({ from: "joe@example.net", to: "jane@example.com", text: "x" })).rejects.toThrow(/550/);
    await send(port, "jane@example.com");
    expect(readdirSync(join(folder, "mail/example.com/jane/new"))).toHaveLength(1);
  },
);

test(
  "real-domain checks, starts, takes mail for its addresses and mail of its people",
  { timeout: 60_000 },
  async () => {
    const folder = join(work, "real-domain");
    const certificates = join(work, "certificates");
    mkdirSync(certificates);
    mkdirSync(join(work, "store"));
    const { cert, key } = await makeCertificate(certificates);
    await setUser(join(folder, "users"), "jane", "secret");
    edit(join(folder, "mailhost.config.mts"), (text) =>
      text
        .replaceAll(/port: \d+/g, 'host: "127.0.0.1", port: 0')
        .replace("`${certificates}/fullchain.pem`", JSON.stringify(cert))
        .replace("`${certificates}/privkey.pem`", JSON.stringify(key))
        .replace(/const certificates = .*\n/, "")
        .replace("/var/mail/mailhost", join(work, "store")),
    );
    const checked = await run(process.execPath, [command, "check", "--config", join(folder, "mailhost.config.mts")]);
    expect(checked.code, checked.stdout + checked.stderr).toBe(0);
    const { ports } = await start([command, "start", "--json-logs"], folder, 3);
    const [transfer = 0, submission = 0, submissions = 0] = ports;
    await send(transfer, "sales@example.com");
    await expect(send(transfer, "nobody@example.com")).rejects.toThrow(/550/);
    await expect(send(transfer, "joe@elsewhere.test")).rejects.toThrow(/550/);
    await expect(send(submission, "joe@example.com")).rejects.toThrow(/530/);
    const auth = { user: "jane", pass: "secret" };
    const tls = { ca: readFileSync(cert, "utf8") };
    const message = { from: "jane@example.com", to: "joe@example.com", text: "x" };
    await createTransport({ host: "localhost", port: submission, requireTLS: true, auth, tls }).sendMail(message);
    await createTransport({ host: "localhost", port: submissions, secure: true, auth, tls }).sendMail(message);
    expect(readdirSync(join(work, "store/example.com/jane/new"))).toHaveLength(1);
    expect(readdirSync(join(work, "store/example.com/joe/new"))).toHaveLength(2);
  },
);
