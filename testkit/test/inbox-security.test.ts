import { connect as connectTls } from "node:tls";
import { createTransport } from "nodemailer";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { SocketClient } from "../../test/support/socket.ts";
import { type Inbox, type InboxOptions, inbox } from "../src/index.ts";

async function open(options: InboxOptions = {}): Promise<Inbox> {
  const mail = await inbox(options);
  onTestFinished(() => mail.close());
  return mail;
}

const letter = { from: "app@example.com", to: "jane@example.com", subject: "Hello", text: "x" };

/** An application that trusts the inbox's certificate. */
const app = (mail: Inbox, more: object = {}) =>
  createTransport({
    host: mail.host,
    port: mail.port,
    secure: mail.url.startsWith("smtps:"),
    tls: { ca: mail.certificate ?? "" },
    ...more,
  });

describe("TLS", () => {
  test("there is none unless asked for", async () => {
    const mail = await open();
    expect(mail.certificate).toBeUndefined();
    await expect(app(mail, { requireTLS: true }).sendMail(letter)).rejects.toThrow(/STARTTLS/);
    await createTransport(mail.url).sendMail(letter);
    expect((await mail.next()).tls).toBeUndefined();
  });

  test("true offers STARTTLS to clients that trust its certificate", async () => {
    const mail = await open({ tls: true });
    await app(mail, { requireTLS: true }).sendMail(letter);
    expect((await mail.next()).tls).toMatchObject({ protocol: "TLSv1.3" });
    await app(mail, { ignoreTLS: true }).sendMail(letter);
    expect((await mail.next()).tls).toBeUndefined();
    await app(mail, { requireTLS: true, host: "localhost" }).sendMail(letter);
    await mail.next();
  });

  test("a client that does not trust it is told, and so is the test", async () => {
    const mail = await open({ tls: true });
    await expect(createTransport(mail.url).sendMail(letter)).rejects.toThrow(/self-signed certificate/);
    await expect(mail.next({ timeout: 300 })).rejects.toThrow(
      /Clients that left no message:\n {2}STARTTLS -> 220 2\.0\.0 Ready to start TLS, then TLS failed: the client closed during the handshake; does it trust the certificate\?$/,
    );
  });

  test("required refuses mail in clear", async () => {
    const mail = await open({ tls: "required" });
    await expect(app(mail, { ignoreTLS: true }).sendMail(letter)).rejects.toThrow(
      /530 5\.7\.0 Must issue a STARTTLS command first/,
    );
    await app(mail).sendMail(letter);
    expect((await mail.next()).tls).toBeDefined();
  });

  test("implicit speaks TLS from the first octet", async () => {
    const mail = await open({ tls: "implicit" });
    expect(mail.url).toBe(`smtps://127.0.0.1:${mail.port}`);
    await app(mail).sendMail(letter);
    expect((await mail.next()).tls).toMatchObject({ protocol: "TLSv1.3" });
    const secured = connectTls({ port: mail.port, host: mail.host, ca: mail.certificate });
    onTestFinished(() => void secured.destroy());
    const banner = await new Promise<string>((resolve) => secured.once("data", (octets) => resolve(String(octets))));
    expect(banner).toBe("220 inbox.test ESMTP\r\n");
  });

  test("a client that speaks in clear to implicit TLS leaves nothing but a line in the error", async () => {
    const mail = await open({ tls: "implicit" });
    const client = SocketClient.to(mail.port);
    client.send("EHLO app.test\r\n");
    await client.rest();
    await expect(mail.next({ timeout: 5 })).rejects.toThrow(/TLS failed: /);
  });

  test("a certificate of one's own", async () => {
    const pem = await generate([{ name: "commonName", value: "mail.shop.example" }], {
      keyType: "ec",
      extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: "mail.shop.example" }] }],
    });
    const mail = await open({ tls: true, certificate: { cert: pem.cert, key: pem.private } });
    expect(mail.certificate).toBe(pem.cert);
    await expect(app(mail).sendMail(letter)).rejects.toThrow(/altnames|IP/);
    await app(mail, { tls: { ca: pem.cert, servername: "mail.shop.example" } }).sendMail(letter);
  });

  test("RFC 3207: STARTTLS takes no argument, comes once, and nothing may be sent behind it", async () => {
    const mail = await open({ tls: true });
    const client = SocketClient.to(mail.port);
    await client.reply();
    expect(await client.ask("EHLO app.test")).toContain("250 STARTTLS");
    expect(await client.ask("STARTTLS now")).toBe("501 5.5.4 No argument is allowed");
    client.send("STARTTLS\r\nNOOP\r\n");
    expect(await client.reply()).toMatch(/^503 /);
    const secured = await SocketClient.secured(mail.port);
    expect(await secured.ask("EHLO app.test")).not.toContain("STARTTLS");
    expect(await secured.ask("STARTTLS")).toBe("503 5.5.1 TLS is already there");
  });

  test("faults happen inside TLS as outside", async () => {
    const mail = await open({ tls: "implicit" });
    for (const at of ["EHLO", "MAIL", "DATA", "BODY"] as const) {
      mail.fault({ at, delay: 10, reply: "421 4.3.2 Down", times: 1 });
      await expect(app(mail).sendMail(letter)).rejects.toThrow(/421 4\.3\.2 Down/);
      mail.fault({ at, drop: true, times: 1 });
      await expect(app(mail).sendMail(letter)).rejects.toThrow(/closed|ECONNRESET/);
    }
    const big = { ...letter, text: "x".repeat(100_000) };
    mail.fault({ at: "BODY", drop: { afterOctets: 20_000 }, times: 1 });
    await expect(app(mail).sendMail(big)).rejects.toThrow(/closed|ECONNRESET|EPIPE/);
    await app(mail).sendMail(big);
    expect(mail.messages()).toHaveLength(1);
  });

  test.each(["starttls", "implicit"] as const)("%s: the handshake can be dropped and delayed", async (tls) => {
    const mail = await open({ tls });
    const drop = mail.fault({ at: "TLS", drop: true, times: 1 });
    await expect(app(mail).sendMail(letter)).rejects.toThrow(/disconnected before secure TLS|ECONNRESET|closed/);
    const late = mail.fault({ at: "TLS", delay: 20, drop: true, times: 1 });
    await expect(app(mail).sendMail(letter)).rejects.toThrow(/disconnected before secure TLS|ECONNRESET|closed/);
    const slow = mail.fault({ at: "TLS", delay: 20, times: 1 });
    await app(mail).sendMail(letter);
    expect([drop.hits, late.hits, slow.hits]).toEqual([1, 1, 1]);
    expect(mail.messages()).toHaveLength(1);
  });

  test("TLS can be refused: an application that falls back to clear is found out", async () => {
    const mail = await open({ tls: true });
    mail.fault({ at: "STARTTLS", reply: "454 4.7.0 TLS not available" });
    await expect(app(mail, { requireTLS: true }).sendMail(letter)).rejects.toThrow(/454/);
    await mail.none({ within: 0 });
  });

  test("close() in the middle of a handshake", async () => {
    const mail = await inbox({ tls: "implicit" });
    const waits = mail.fault({ at: "TLS", delay: 3_600_000 });
    const silent = SocketClient.to(mail.port);
    const client = SocketClient.to(mail.port);
    while (waits.hits < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await mail.close();
    expect([await client.rest(), await silent.rest()]).toEqual(["", ""]);
  });
});

describe("AUTH", () => {
  test("is not offered unless asked for", async () => {
    const mail = await open();
    const client = SocketClient.to(mail.port);
    await client.reply();
    expect(await client.ask("EHLO app.test")).not.toContain("AUTH");
    expect(await client.ask("AUTH PLAIN AGFwcABzZWNyZXQ=")).toMatch(/^502 /);
  });

  test.each(["PLAIN", "LOGIN"])("true takes any name and password with %s, and notes them", async (method) => {
    const mail = await open({ auth: true });
    await app(mail, { auth: { user: "app", pass: "s3crét" }, authMethod: method }).sendMail(letter);
    expect((await mail.next()).auth).toEqual({ username: "app", password: "s3crét" });
    await app(mail).sendMail(letter);
    expect((await mail.next()).auth).toBeUndefined();
  });

  test("users and their passwords, and nobody else", async () => {
    const mail = await open({ auth: { users: { app: "secret" } } });
    for (const [user, pass] of [
      ["app", "wrong"],
      ["other", "secret"],
      ["toString", "secret"],
    ])
      await expect(app(mail, { auth: { user, pass } }).sendMail(letter)).rejects.toThrow(/535 5\.7\.8/);
    await expect(app(mail).sendMail(letter)).rejects.toThrow(/530 5\.7\.0 Authentication required/);
    await app(mail, { auth: { user: "app", pass: "secret" } }).sendMail(letter);
    expect(mail.messages()).toMatchObject([{ auth: { username: "app" } }]);
  });

  test("required or not is one's own choice", async () => {
    const optional = await open({ auth: { users: { app: "secret" }, required: false } });
    await app(optional).sendMail(letter);
    const required = await open({ auth: { required: true } });
    await expect(app(required).sendMail(letter)).rejects.toThrow(/530/);
    await app(required, { auth: { user: "any", pass: "thing" } }).sendMail(letter);
  });

  test("PLAIN and LOGIN line by line, whole and broken", async () => {
    const mail = await open({ auth: true });
    const client = SocketClient.to(mail.port);
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    await client.reply();
    expect(await client.ask("EHLO app.test")).toContain("250 AUTH PLAIN LOGIN");
    expect(await client.ask("AUTH PLAIN")).toBe("334");
    expect(await client.ask("*")).toMatch(/^501 /);
    for (const broken of ["no parts", "\0", "\0\0x", "a\0b\0c\0d"])
      expect(await client.ask(`AUTH PLAIN ${base64(broken)}`)).toBe("501 5.5.2 Malformed credentials");
    expect(await client.ask("AUTH LOGIN")).toBe(`334 ${base64("Username:")}`);
    expect(await client.ask("")).toBe(`334 ${base64("Password:")}`);
    expect(await client.ask(base64("x"))).toBe("501 5.5.2 Malformed credentials");
    expect(await client.ask(`AUTH LOGIN ${base64("jane")}`)).toBe(`334 ${base64("Password:")}`);
    expect(await client.ask(base64("secret"))).toMatch(/^235 /);
  });

  test("the password is in no error", async () => {
    const mail = await open({ auth: { users: {} } });
    await app(mail, { auth: { user: "app", pass: "tr0ub4dor" }, authMethod: "PLAIN" })
      .sendMail(letter)
      .catch(() => {});
    const error = String(await mail.next({ timeout: 0 }).catch((reason: unknown) => reason));
    expect(error).toContain("535 5.7.8");
    expect(error).not.toContain("tr0ub4dor");
    expect(error).not.toContain(Buffer.from("\0app\0tr0ub4dor").toString("base64"));
  });
});
