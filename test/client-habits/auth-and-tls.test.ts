import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { type Plugin, definePlugin, mailhost } from "@mailhost/core";
import { starttls } from "@mailhost/plugin-starttls";
import { sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import {
  anyTls,
  ehlo,
  emptyChallenge,
  emptyFolder,
  janesLogin,
  janesPassword,
  password,
  plain,
  quietLog,
} from "../support/dialogue.ts";
import { SocketClient, listen } from "../support/socket.ts";

const inClear = () => ({ plugins: [janesPassword({ allowInsecure: true }), sink()], log: quietLog });

test("AUTH PLAIN without initial response, waits for 334 (curl, s-nail, PHPMailer, smtplib)", () =>
  transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH PLAIN
    S: ${emptyChallenge}
    C: ${janesLogin}
    S: 235 2.7.0 *
  `,
  ));

const answers = (message: string, reply: string) =>
  transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH PLAIN ${message}
    S: ${reply} *
    C: RSET
    S: 250 *
    C: AUTH PLAIN
    S: ${reply === "235 2.7.0" ? "503 5.5.1 *" : emptyChallenge}
    ${reply === "235 2.7.0" ? "" : `C: ${message}\nS: ${reply} *`}
  `,
  );

describe("AUTH PLAIN with authzid equal to the login (mutt, git send-email, Jakarta Mail, nullmailer)", () => {
  test("authzid = authcid, and empty, are accepted", async () => {
    await answers(plain("jane", "jane", password), "235 2.7.0");
    await answers(plain("", "jane", password), "235 2.7.0");
  });

  test("another's is refused", async () => {
    await answers(plain("root", "jane", password), "535 5.7.8");
    await answers(plain("Jane", "jane", password), "535 5.7.8");
  });
});

// LOGIN is a plugin of its own, auth-login; without it those clients are told at once, and no dialogue hangs
test("AUTH LOGIN only (ssmtp, sendEmail; Outlook, many devices): 504 without its plugin", () =>
  transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH LOGIN
    S: 504 5.5.4 *
    C: AUTH LOGIN amFuZQ==
    S: 504 5.5.4 *
    C: QUIT
    S: 221 *
  `,
  ));

test("AUTH=<> or AUTH=a@b on MAIL after login, without brackets (curl --mail-auth, Postfix's client)", () =>
  transcript(
    inClear,
    `
    S: 220 *
    ${ehlo("AUTH PLAIN")}
    C: AUTH PLAIN ${janesLogin}
    S: 235 2.7.0 *
    C: MAIL FROM:<jane@example.com> AUTH=<>
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<jane@example.com> AUTH=jane@example.com SIZE=100
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    C: MAIL FROM:<jane@example.com> SIZE=100 AUTH=<jane@example.com>
    S: 250 2.1.0 *
    C: RSET
    S: 250 *
    # xtext, RFC 4954 section 5
    C: MAIL FROM:<jane@example.com> AUTH=e+3Dmc2@example.com
    S: 250 2.1.0 *
  `,
  ));

/** Notes the name each client asked for. */
function asked(): Plugin & { readonly names: (string | undefined)[] } {
  const names: (string | undefined)[] = [];
  const make = definePlugin({
    name: "asked",
    version: "1.0.0",
    core: "^1.0.0",
    apply: (host) => host.hooks.ehlo.tap("asked", (_greeting, { tls }) => void names.push(tls?.servername)),
  });
  return Object.assign(make(), { names });
}

describe("SNI that is an IP address (msmtp, git send-email, mutt, Net::SMTP, Ruby, PHPMailer, nullmailer)", () => {
  test.each(["TLSv1.2", "TLSv1.3"] as const)(
    "never fails a handshake, nor does a trailing dot, over %s",
    async (version) => {
      const notes = asked();
      const { port } = await listen({ plugins: [anyTls(), notes, sink()] });
      const names = ["127.0.0.1", "::1", "mx.example.com.", "localhost", "nobody.example", "_smtp.example.com", "vm"];
      for (const servername of names) {
        const options = { servername, minVersion: version, maxVersion: version };
        const client = await SocketClient.secured(port, options);
        expect(await client.ask("EHLO client.test"), servername).toMatch(/^250/);
        await client.ask("QUIT");
      }
      // The names were on the wire: the first EHLO of each dialogue was in clear
      expect(notes.names.filter((name) => name !== undefined)).toEqual(names);
    },
  );
});

describe("opportunistic STARTTLS with a self-signed certificate (aiosmtplib, Postfix `may`)", () => {
  test("it works, and is offered", () =>
    transcript(
      () => ({ plugins: [anyTls(), sink()], log: quietLog }),
      `
      S: 220 *
      ${ehlo("STARTTLS")}
      C: STARTTLS
      S: 220 2.0.0 *
      ${ehlo()}
    `,
    ));

  test("without a working key nothing is offered: the server does not start", async () => {
    const folder = emptyFolder();
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    writeFileSync(cert, "no certificate");
    writeFileSync(key, "no key");
    for (const files of [
      { cert, key },
      { cert: join(folder, "missing.pem"), key },
    ])
      await expect(mailhost({ plugins: [starttls(files), sink()] }).prepare()).rejects.toMatchObject({
        problems: [{ code: "BAD_FILE", where: expect.stringContaining("cert") }],
      });
  });
});

describe("capital R in s_client renegotiates, Q quits (humans with openssl)", () => {
  test("the same commands in lower case, inside TLS", async () => {
    const box = sink();
    const { port } = await listen({ plugins: [anyTls(), box] });
    const human = await SocketClient.secured(port, { maxVersion: "TLSv1.2" });
    for (const line of ["ehlo client.test", "mail from:<>", "rcpt to:<jane@example.com>", "data", "hello\r\n."])
      expect(await human.ask(line)).toMatch(/^[23]/);
    expect(await human.ask("quit")).toMatch(/^221/);
    expect(box.messages).toHaveLength(1);
  });

  test("a renegotiation is refused and harms nobody else", async () => {
    const { port } = await listen({ plugins: [anyTls(), sink()] });
    const other = await SocketClient.secured(port);
    const human = await SocketClient.secured(port, { maxVersion: "TLSv1.2" });
    const outcome = await new Promise<Error | null>((resolve) => {
      human.tls.once("error", resolve);
      human.tls.renegotiate({}, resolve);
    });
    expect(outcome).toBeInstanceOf(Error);
    expect(await other.ask("NOOP")).toMatch(/^250/);
  });
});

const secured = (port: number, options: ConnectionOptions) => SocketClient.secured(port, options);

describe("TLS: Node's defaults grade well; session resumption works when one SecureContext is kept", () => {
  test.each(["TLSv1.2", "TLSv1.3"] as const)("a session is resumed over %s", async (version) => {
    const { port } = await listen({ plugins: [anyTls(), sink()] });
    const versions = { minVersion: version, maxVersion: version };
    const first = await secured(port, versions);
    const ticket = new Promise<Buffer>((resolve) => first.tls.once("session", resolve));
    await first.ask("EHLO client.test");
    const session = version === "TLSv1.2" ? first.tls.getSession() : await ticket;
    const again = await secured(port, { ...versions, session });
    expect(again.tls.isSessionReused()).toBe(true);
    expect(await again.ask("EHLO client.test")).toMatch(/^250/);
  });

  test("nothing below 1.2, no key exchange without forward secrecy, no weak cipher", async () => {
    const { port } = await listen({ plugins: [anyTls(), sink()] });
    for (const options of [
      { maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" },
      { maxVersion: "TLSv1.2", ciphers: "AES128-SHA" },
      { maxVersion: "TLSv1.2", ciphers: "aNULL:eNULL@SECLEVEL=0" },
    ] satisfies ConnectionOptions[])
      await expect(secured(port, options), options.ciphers).rejects.toThrow();
    const { tls } = await secured(port, {});
    expect(tls.getProtocol()).toBe("TLSv1.3");
  });
});
