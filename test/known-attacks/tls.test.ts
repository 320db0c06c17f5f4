import { addressable } from "@mailhost/plugin-addressable";
import { starttls } from "@mailhost/plugin-starttls";
import { sink, transcript } from "@mailhost/testkit";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { anyTls, ehlo, janesLogin, janesPassword, quietLog } from "../support/dialogue.ts";
import { SocketClient, listen } from "../support/socket.ts";

const secure = () => ({ plugins: [anyTls(), janesPassword(), sink()], log: quietLog });

/** 220 and EHLO, in clear. */
async function greeted(port: number): Promise<SocketClient> {
  const one = SocketClient.to(port);
  await one.reply();
  await one.ask("EHLO client.test");
  return one;
}

describe("plaintext behind STARTTLS runs inside TLS (CVE-2011-0411, NO STARTTLS, CVE-2021-33515, CVE-2021-38371, CVE-2021-38542, CVE-2022-28220, CVE-2024-34083)", () => {
  test.each(["MAIL FROM:<evil@elsewhere.test>\r\n", "RSET\r\nEHLO evil.test\r\n", "R", "\r\n", "\n", " ", "\0"])(
    "%j in the same segment: the connection closes, no TLS begins",
    async (injected) => {
      const { port } = await listen(secure());
      const one = await greeted(port);
      one.send(`STARTTLS\r\n${injected}`);
      expect(await one.reply()).toMatch(/^503 5\.5\.1/);
      expect(await one.rest()).toBe("");
    },
  );

  test("in a segment of its own, before the handshake: nothing of it is run or answered", async () => {
    const { port } = await listen(secure());
    const one = await greeted(port);
    await one.ask("STARTTLS");
    one.send("EHLO evil.test\r\nMAIL FROM:<evil@elsewhere.test>\r\n");
    expect(await one.rest()).not.toMatch(/\d{3} /);
    expect(await (await SocketClient.secured(port)).ask("NOOP")).toMatch(/^250/);
  });

  test("the state of the clear dialogue is gone: greeting, transaction, counted errors stay", () =>
    transcript(
      () => ({ ...secure(), limits: { errors: 3 } }),
      `
      S: 220 *
      ${ehlo("STARTTLS")}
      C: MAIL FROM:<evil@elsewhere.test>
      S: 250 2.1.0 *
      C: STARTTLS
      S: 503 5.5.1 *
      C: RSET
      S: 250 *
      C: STARTTLS
      S: 220 2.0.0 *
      C: MAIL FROM:<evil@elsewhere.test>
      S: 503 5.5.1 Say EHLO *
      ${ehlo("AUTH PLAIN")}
      C: RCPT TO:<jane@example.com>
      S: 421 4.7.0 *
      S: <close>
    `,
    ));

  test("the control: a client that waits gets its TLS", async () => {
    const { port } = await listen(secure());
    const one = await SocketClient.secured(port);
    for (const line of ["EHLO client.test", "MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA", "text\r\n."])
      expect(await one.ask(line)).toMatch(/^[23]/);
  });
});

test("close_notify, then an octet in clear (CVE-2026-45185): the end of TLS is the end of the connection", async () => {
  const box = sink();
  const { port } = await listen({ plugins: [anyTls(), box] });
  const raw = connect(port, "127.0.0.1");
  const heard: string[] = [];
  const one = new SocketClient(raw);
  await one.reply();
  for (const line of ["EHLO client.test", "STARTTLS"]) await one.ask(line);
  await one.secure();
  for (const line of ["EHLO client.test", "MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA"])
    expect(await one.ask(line)).toMatch(/^[23]/);
  one.send("half a body\r\n");
  raw.on("error", () => {});
  raw.on("data", (octets) => heard.push(octets.toString("latin1")));
  one.socket.end(); // close_notify
  raw.write(".\r\nNOOP\r\n");
  await one.rest();
  expect(heard.join("")).not.toMatch(/250/);
  expect(box.messages).toEqual([]);
  expect(await (await SocketClient.secured(port)).ask("NOOP")).toMatch(/^250/);
});

test("no TLS 1.0 and 1.1 (RFC 8996)", async () => {
  const { port } = await listen(secure());
  for (const version of ["TLSv1", "TLSv1.1"] as const)
    await expect(
      SocketClient.secured(port, { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" }),
    ).rejects.toThrow();
  for (const version of ["TLSv1.2", "TLSv1.3"] as const)
    expect((await SocketClient.secured(port, { maxVersion: version })).tls.getProtocol()).toBe(version);
});

test("STARTTLS with a parameter must be 501 (smtp-server db1f3d4)", () =>
  transcript(
    secure,
    `
    S: 220 *
    ${ehlo("STARTTLS")}
    C: STARTTLS now
    S: 501 5.5.4 *
    C: STARTTLS TLSv1.0
    S: 501 5.5.4 *
    C: STARTTLS
    S: 220 2.0.0 *
  `,
  ));

test("a second STARTTLS inside TLS", async () => {
  await transcript(
    secure,
    `
    S: 220 *
    ${ehlo("STARTTLS")}
    C: STARTTLS
    S: 220 2.0.0 *
    ${ehlo("AUTH PLAIN")}
    C: STARTTLS
    S: 503 5.5.1 *
    C: NOOP
    S: 250 *
  `,
  );
  const { port } = await listen(secure());
  const one = await SocketClient.secured(port);
  for (const [line, reply] of [
    ["STARTTLS", /^503/],
    ["EHLO client.test", /^250/],
    ["STARTTLS", /^503/],
    ["NOOP", /^250/],
  ] as const)
    expect(await one.ask(line)).toMatch(reply);
});

test("with requireTls nothing is run in clear", () =>
  transcript(
    () => ({
      plugins: [
        starttls({ selfSigned: true, requireTls: true }),
        janesPassword({ allowInsecure: true }),
        addressable({ domains: ["example.com"] }),
        sink({ everything: false }),
      ],
      default: { local: "sink" },
      log: quietLog,
    }),
    `
    S: 220 *
    ${ehlo("STARTTLS", "AUTH PLAIN")}
    C: MAIL FROM:<joe@example.net>
    S: 530 5.7.0 *
    C: AUTH PLAIN ${janesLogin}
    S: 530 5.7.0 *
    C: VRFY jane
    S: 530 5.7.0 *
  `,
  ));
