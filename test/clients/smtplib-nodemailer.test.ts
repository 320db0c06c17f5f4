import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { big, crlf, eightBit, plain } from "../support/messages.ts";
import { run } from "../support/run.ts";
import { type RealServer, belowTrace, password, startServer } from "../support/server.ts";
import { lacks } from "../support/tools.ts";

let server: RealServer;
let folder: string;
beforeAll(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "mailhost-files-"));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const same = (stored: Buffer[], octets: Buffer): void => {
  expect(stored).toHaveLength(1);
  expect(belowTrace(stored[0] ?? Buffer.alloc(0)).equals(octets)).toBe(true);
};

test.skipIf(lacks("python3"))(
  "Python smtplib: clear, 8-bit, 20 MB, 100 recipients, SMTPUTF8, HELO, STARTTLS, AUTH both ways, TLS",
  async () => {
    const huge = big(20).octets;
    for (const [name, octets] of [
      ["plain", plain.octets],
      ["eight", eightBit.octets],
      ["big", huge],
    ] as const)
      writeFileSync(join(folder, `${name}.eml`), crlf(octets));
    const script = join(import.meta.dirname, "hand-in.py");
    const ports = [server.transfer, server.submission, server.submissions].map(String);
    const sent = await run("python3", [script, ...ports, server.certificate, password, folder]);
    expect(sent.stderr).toBe("");
    expect(sent.stdout.trim().split("\n")).toEqual([
      "transfer",
      "smtputf8",
      "helo",
      "auth True",
      "auth False",
      "ssl",
      "wrong password",
    ]);
    same(server.take("example.com", "py-plain"), plain.octets);
    same(server.take("example.com", "py-eight"), eightBit.octets);
    same(server.take("example.com", "py-big"), huge);
    same(server.take("example.com", "py-ssl"), huge);
    same(server.take("example.com", "py-helo"), plain.octets);
    expect(server.take("example.com", "py-auth")).toHaveLength(2);
    for (let index = 0; index < 100; index += 1) same(server.take("example.com", `py${index}`), plain.octets);
  },
);

describe("nodemailer", () => {
  const trusting = () => ({ ca: readFileSync(server.certificate, "utf8") });

  test("in clear, pipelined, text and attachment arrive", async () => {
    const transport = createTransport({ host: "localhost", port: server.transfer, ignoreTLS: true });
    const sent = await transport.sendMail({
      from: "jane@example.com",
      to: "node@example.com",
      subject: "Grüße",
      text: "Hello\n.\nend",
      attachments: [{ filename: "a.bin", content: Buffer.alloc(200_000, 7) }],
    });
    expect(sent.response).toMatch(/^250 2\.0\.0 Ok: queued as /);
    expect(server.take("example.com", "node")).toHaveLength(1);
  });

  test("STARTTLS, AUTH, a raw message byte for byte", async () => {
    const auth = { user: "jane@example.com", pass: password };
    const transport = createTransport({
      host: "localhost",
      port: server.submission,
      requireTLS: true,
      auth,
      tls: trusting(),
    });
    await transport.sendMail({
      envelope: { from: "jane@example.com", to: ["node@example.com"] },
      raw: crlf(plain.octets),
    });
    same(server.take("example.com", "node"), plain.octets);
  });

  test("TLS from the first octet, a pool of connections", async () => {
    const auth = { user: "jane@example.com", pass: password };
    const transport = createTransport({
      host: "localhost",
      port: server.submissions,
      secure: true,
      pool: true,
      auth,
      tls: trusting(),
    });
    const envelope = { from: "jane@example.com", to: ["node@example.com"] };
    await Promise.all(Array.from({ length: 20 }, () => transport.sendMail({ envelope, raw: crlf(eightBit.octets) })));
    transport.close();
    const stored = server.take("example.com", "node");
    expect(stored).toHaveLength(20);
    for (const one of stored) expect(belowTrace(one).equals(eightBit.octets)).toBe(true);
  });

  test("a refused recipient among accepted ones is named", async () => {
    const transport = createTransport({ host: "localhost", port: server.transfer, ignoreTLS: true });
    const sent = await transport.sendMail({
      from: "jane@example.com",
      to: ["node@example.com", "joe@elsewhere.test"],
      text: "x",
    });
    expect(sent.accepted).toEqual(["node@example.com"]);
    expect(sent.rejected).toEqual(["joe@elsewhere.test"]);
    expect(server.take("example.com", "node")).toHaveLength(1);
  });
});

describe.skipIf(lacks("openssl"))("openssl s_client", () => {
  test.each([
    ["-tls1_2", "TLSv1.2"],
    ["-tls1_3", "TLSv1.3"],
  ])("STARTTLS %s", async (option, version) => {
    const args = [
      "s_client",
      "-connect",
      `127.0.0.1:${server.transfer}`,
      "-starttls",
      "smtp",
      "-CAfile",
      server.certificate,
      "-verify_return_error",
      "-crlf",
      "-ign_eof",
      option,
    ];
    const ran = await run(
      "openssl",
      args,
      "ehlo client.test\nmail from:<>\nrcpt to:<openssl@example.com>\ndata\nSubject: s\n\nhi\n.\nquit\n",
    );
    expect(ran.stdout).toContain(version);
    expect(ran.stdout).toMatch(/250 2\.0\.0 Ok: queued as /);
    expect(server.take("example.com", "openssl")).toHaveLength(1);
  });

  test.each(["-tls1", "-tls1_1"])("%s is refused", async (option) => {
    const args = ["s_client", "-connect", `127.0.0.1:${server.submissions}`, "-cipher", "DEFAULT@SECLEVEL=0", option];
    const ran = await run("openssl", args, "quit\n");
    expect(ran.code).not.toBe(0);
    expect(ran.stdout).toContain("no peer certificate available");
  });
});
