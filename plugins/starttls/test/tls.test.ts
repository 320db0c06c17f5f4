import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { checkServerIdentity } from "node:tls";
import { promisify } from "node:util";
import { type Mailhost, type MailhostOptions, mailhost } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { starttls, type CertificateFiles, type StarttlsOptions } from "../src/index.ts";
import { makeFiles, makeFolder, makeLog } from "./certificates.ts";
import { Client } from "./client.ts";

let folder: string;
let files: CertificateFiles;
beforeAll(async () => {
  folder = await makeFolder();
  files = await makeFiles(folder, "mx.example.com");
});
afterAll(() => rm(folder, { recursive: true }));

const servers: Mailhost[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const box = sink();

async function serve(options: StarttlsOptions, more: Partial<MailhostOptions> = {}): Promise<number> {
  const { log } = makeLog();
  const server = mailhost({
    name: "mx.example.com",
    log,
    plugins: [starttls(options), box],
    listeners: [{ host: "127.0.0.1", port: 0 }],
    timeouts: { drain: 100 },
    ...more,
  });
  servers.push(server);
  await server.listen();
  return server.addresses[0]?.port ?? 0;
}

const implicit = { listeners: [{ host: "127.0.0.1", port: 0, tls: "implicit" as const }] };

test.each(["TLSv1.2", "TLSv1.3"] as const)("a message comes in over %s", async (version) => {
  const client = await Client.secured(await serve(files), { minVersion: version, maxVersion: version });
  expect(client.tls.getProtocol()).toBe(version);
  expect(await client.ask("EHLO client.test")).not.toContain("STARTTLS");
  await client.ask("MAIL FROM:<jane@example.com>");
  await client.ask("RCPT TO:<joe@example.com>");
  await client.ask("DATA");
  expect(await client.ask("Subject: over TLS\r\n\r\nHello\r\n.")).toMatch(/^250 2\.0\.0/);
  // RFC 3848: with TLS
  expect(box.messages.pop()?.text).toContain("with ESMTPS");
  expect(await client.ask("QUIT")).toMatch(/^221/);
  expect(await client.rest()).toBe("");
});

test("older versions are refused, and so is 1.2 where 1.3 is the least", async () => {
  const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  await expect(Client.secured(await serve(files), old)).rejects.toThrow();
  const port = await serve({ ...files, minVersion: "TLSv1.3" });
  await expect(Client.secured(port, { maxVersion: "TLSv1.2" })).rejects.toThrow();
  expect((await Client.secured(port)).tls.getProtocol()).toBe("TLSv1.3");
});

test("implicit TLS: the greeting comes inside, STARTTLS is unknown there", async () => {
  const client = Client.overTls(await serve({ ...files, requireTls: true }, implicit));
  expect(await client.reply()).toBe("220 mx.example.com ESMTP");
  expect(await client.ask("EHLO client.test")).not.toContain("STARTTLS");
  expect(await client.ask("STARTTLS")).toMatch(/^500/);
  expect(await client.ask("MAIL FROM:<jane@example.com>")).toMatch(/^250/);
  client.end();
});

test("a listener for implicit TLS says nothing in clear", async () => {
  const client = Client.to(await serve(files, implicit));
  client.send("EHLO client.test\r\n");
  // A TLS alert at most
  expect(await client.rest()).not.toMatch(/\d{3} /);
});

test("the name a client asks for chooses the certificate, and no name fails the handshake", async () => {
  const port = await serve({
    ...files,
    sni: {
      "Mail.Example.com": await makeFiles(folder, "mail.example.com"),
      "*.shop.test": await makeFiles(folder, "*.shop.test", "wildcard"),
    },
  });
  const shown = async (servername: string): Promise<string> =>
    (await Client.secured(port, { servername, checkServerIdentity: () => undefined })).subject;
  expect(await shown("mail.example.com")).toBe("mail.example.com");
  expect(await shown("MAIL.example.COM.")).toBe("mail.example.com");
  expect(await shown("www.shop.test")).toBe("*.shop.test");
  // One label, not two, and not the domain itself: RFC 6125 §6.4.3
  expect(await shown("a.b.shop.test")).toBe("mx.example.com");
  expect(await shown("shop.test")).toBe("mx.example.com");
  expect(await shown("unknown.example")).toBe("mx.example.com");
  expect(await shown("__proto__")).toBe("mx.example.com");
  expect(await shown("a_b..c d")).toBe("mx.example.com");
  expect(await shown("x".repeat(250))).toBe("mx.example.com");
  expect((await Client.secured(port)).subject).toBe("mx.example.com");
});

test("an address as name gets the default certificate", async (context) => {
  const openssl = await promisify(execFile)("openssl", ["version"]).then(
    () => true,
    () => false,
  );
  if (!openssl && process.env["CI"] === undefined) return context.skip();
  const port = await serve(files);
  const child = promisify(execFile)(
    "openssl",
    ["s_client", "-starttls", "smtp", "-connect", `127.0.0.1:${port}`, "-servername", "127.0.0.1", "-ign_eof"],
    { timeout: 10_000 },
  );
  child.child.stdin?.end("QUIT\r\n");
  expect((await child).stdout).toContain("CN = mx.example.com");
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "a session is resumed over %s, by any listener of the same files",
  async (version) => {
    const server = mailhost({
      name: "mx.example.com",
      log: makeLog().log,
      plugins: [starttls(files), box],
      listeners: [
        { name: "one", host: "127.0.0.1", port: 0 },
        { name: "two", host: "127.0.0.1", port: 0 },
      ],
    });
    servers.push(server);
    await server.listen();
    const [one, two] = server.addresses.map(({ port }) => port);
    const first = await Client.secured(one ?? 0, { minVersion: version, maxVersion: version });
    const ticket = new Promise<Buffer>((resolve) => first.tls.once("session", resolve));
    await first.ask("EHLO client.test");
    const session = version === "TLSv1.2" ? first.tls.getSession() : await ticket;
    const again = await Client.secured(two ?? 0, { session, maxVersion: version });
    expect(again.tls.isSessionReused()).toBe(true);
    expect(await again.ask("EHLO client.test")).toMatch(/^250/);
    await first.ask("QUIT");
    await again.ask("QUIT");
  },
);

test.each(["TLSv1.2", "TLSv1.3"] as const)("a session is resumed over %s under a name of its own", async (version) => {
  const port = await serve({ ...files, sni: { "mail.example.com": await makeFiles(folder, "mail.example.com") } });
  const asked = { servername: "mail.example.com", minVersion: version, maxVersion: version };
  const first = await Client.secured(port, asked);
  const ticket = new Promise<Buffer>((resolve) => first.tls.once("session", resolve));
  await first.ask("EHLO client.test");
  const session = version === "TLSv1.2" ? first.tls.getSession() : await ticket;
  const again = await Client.secured(port, { ...asked, session });
  expect(again.tls.isSessionReused()).toBe(true);
  expect((await Client.secured(port, asked)).subject).toBe("mail.example.com");
});

test("a client that renegotiates gets nothing computed for it", async () => {
  const port = await serve(files);
  const client = await Client.secured(port, { maxVersion: "TLSv1.2" });
  const refused = await new Promise<Error | null>((resolve) => {
    client.tls.once("error", resolve);
    client.tls.once("close", () => resolve(new Error("closed")));
    client.tls.renegotiate({}, resolve);
  });
  expect(refused).toBeInstanceOf(Error);
  expect(await (await Client.secured(port)).ask("NOOP")).toMatch(/^250/);
});

test("a command injected behind STARTTLS never runs", async () => {
  const port = await serve(files);
  for (const injected of ["EHLO evil.test\r\n", "R", "\r\n"]) {
    const client = Client.to(port);
    await client.reply();
    await client.ask("EHLO client.test");
    client.send(`STARTTLS\r\n${injected}`);
    expect(await client.reply()).toBe("503 5.5.1 Nothing may follow this command before its reply");
    expect(await client.rest()).toBe("");
  }
});

test("octets in clear sent after the 220 break the handshake and nothing else", async () => {
  const port = await serve(files);
  const client = Client.to(port);
  await client.reply();
  await client.ask("EHLO client.test");
  await client.ask("STARTTLS");
  client.send("MAIL FROM:<evil@example.com>\r\nRCPT TO:<joe@example.com>\r\n");
  expect(await client.rest()).not.toMatch(/250/);
  expect(await (await Client.secured(port)).ask("NOOP")).toMatch(/^250/);
});

test("a client that leaves in the midst of a handshake harms nobody", async () => {
  const brief = { timeouts: { handshake: 200, drain: 100 } };
  const port = await serve(files, brief);
  for (const octets of [
    "",
    "\x16\x03\x01\x02\x00\x01\x00",
    "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    "\0".repeat(5000),
  ]) {
    const client = Client.to(port);
    await client.reply();
    await client.ask("HELO client.test");
    await client.ask("STARTTLS");
    client.send(octets);
    client.end();
    await client.rest();
  }
  const direct = await serve(files, { ...implicit, ...brief });
  for (const octets of ["", "GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\x02\x00\x01"]) {
    const socket = connect(direct, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.end(octets);
    await new Promise((resolve) => socket.once("close", resolve));
  }
  expect(await (await Client.secured(port)).ask("NOOP")).toMatch(/^250/);
});

test("a handshake that takes too long ends the connection", async () => {
  const client = Client.to(await serve(files, { timeouts: { handshake: 50, drain: 100 } }));
  await client.reply();
  await client.ask("HELO client.test");
  await client.ask("STARTTLS");
  expect(await client.rest()).toBe("");
});

test("the end of TLS is the end of the connection: nothing in clear is heard behind it", async () => {
  const port = await serve(files);
  const raw = connect(port, "127.0.0.1");
  const heard: string[] = [];
  raw.on("error", () => {});
  const client = new Client(raw);
  await client.reply();
  await client.ask("HELO client.test");
  await client.ask("STARTTLS");
  await client.secure();
  await client.ask("HELO client.test");
  // end() sends close_notify; then the attacker writes on the socket below
  client.end();
  raw.on("data", (octets) => heard.push(octets.toString("latin1")));
  raw.write("HELO evil.test\r\nNOOP\r\n");
  await client.rest();
  expect(heard.join("")).not.toMatch(/250/);
});

test("a self-signed certificate works, for development, and says so aloud", async () => {
  const { log, lines } = makeLog();
  const port = await serve({ selfSigned: true }, { log });
  expect(lines).toEqual([expect.stringMatching(/^warn: .*self-signed certificate.*development only/)]);
  const client = await Client.secured(port, { servername: "mx.example.com" });
  const shown = client.tls.getPeerCertificate();
  expect(checkServerIdentity("mx.example.com", shown)).toBeUndefined();
  expect(checkServerIdentity("127.0.0.1", shown)).toBeUndefined();
  await expect(Client.secured(port, { rejectUnauthorized: true })).rejects.toThrow(/self-signed/);
});
