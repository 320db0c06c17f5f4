import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

const samples = [plain, eightBit, big(20)];

function file(octets: Buffer): string {
  const path = join(folder, `message-${Math.random()}.eml`);
  writeFileSync(path, octets);
  return path;
}

const onlyOne = (stored: Buffer[]): Buffer => {
  expect(stored).toHaveLength(1);
  return stored[0] ?? Buffer.alloc(0);
};

describe.skipIf(lacks("swaks"))("swaks", () => {
  const to = (port: number): string[] => [
    "--server",
    `127.0.0.1:${port}`,
    "--from",
    "jane@example.com",
    "--silent",
    "1",
  ];
  const user = ["--auth", "PLAIN", "--auth-user", "jane@example.com", "--auth-password", password];

  test("in clear, pipelined", async () => {
    const sent = await run("swaks", [
      ...to(server.transfer),
      "--to",
      "swaks@example.com",
      "--pipeline",
      "--data",
      `@${file(plain.octets)}`,
    ]);
    expect(sent).toMatchObject({ code: 0 });
    // swaks closes DATA with one more line end of its own
    expect(
      belowTrace(onlyOne(server.take("example.com", "swaks")))
        .toString()
        .trimEnd(),
    ).toBe(plain.octets.toString().trimEnd());
  });

  test.each(["tlsv1_2", "tlsv1_3"])("STARTTLS %s and AUTH", async (version) => {
    const sent = await run("swaks", [
      ...to(server.submission),
      "--to",
      "swaks@example.com",
      "--tls",
      "--tls-protocol",
      version,
      ...user,
    ]);
    expect(sent).toMatchObject({ code: 0 });
    expect(onlyOne(server.take("example.com", "swaks")).toString()).toMatch(/with ESMTPSA id/);
  });

  test("TLS from the first octet and AUTH", async () => {
    const sent = await run("swaks", [
      ...to(server.submissions),
      "--to",
      "swaks@example.com",
      "--tls-on-connect",
      ...user,
    ]);
    expect(sent).toMatchObject({ code: 0 });
    expect(server.take("example.com", "swaks")).toHaveLength(1);
  });

  test("a wrong password is refused, and AUTH in clear is not to be had", async () => {
    const wrong = await run("swaks", [
      ...to(server.submission),
      "--to",
      "swaks@example.com",
      "--tls",
      "--auth",
      "PLAIN",
      "--auth-user",
      "jane@example.com",
      "--auth-password",
      "wrong",
    ]);
    expect(wrong.code).toBe(28);
    const clear = await run("swaks", [...to(server.submission), "--to", "swaks@example.com", ...user]);
    expect(clear.code).toBe(28);
    expect(server.take("example.com", "swaks")).toHaveLength(0);
  });

  test("100 recipients", async () => {
    const recipients = Array.from({ length: 100 }, (_, index) => `many${index}@example.com`);
    const sent = await run("swaks", [...to(server.transfer), "--to", recipients.join(","), "--pipeline"]);
    expect(sent).toMatchObject({ code: 0 });
    for (const index of recipients.keys()) expect(server.take("example.com", `many${index}`)).toHaveLength(1);
  });

  test("a stranger is no relay", async () => {
    const sent = await run("swaks", [...to(server.transfer), "--to", "joe@elsewhere.test"]);
    expect(sent.code).toBe(24);
  });
});

describe.skipIf(lacks("curl"))("curl", () => {
  const common = ["--silent", "--show-error", "--mail-from", "jane@example.com", "--mail-rcpt", "curl@example.com"];

  test.each(samples)("in clear: $name", async ({ octets }) => {
    const sent = await run("curl", [
      ...common,
      `smtp://127.0.0.1:${server.transfer}/client.test`,
      "--upload-file",
      file(crlf(octets)),
    ]);
    expect(sent).toMatchObject({ code: 0 });
    expect(belowTrace(onlyOne(server.take("example.com", "curl"))).equals(octets)).toBe(true);
  });

  test.each(samples)("STARTTLS and AUTH: $name", async ({ octets }) => {
    const sent = await run("curl", [
      ...common, "--ssl-reqd", "--cacert", server.certificate, "--user", `jane@example.com:${password}`, "--login-options", "AUTH=PLAIN",
      `smtp://localhost:${server.submission}/client.test`, "--upload-file", file(crlf(octets)),
    ]); // prettier-ignore
    expect(sent).toMatchObject({ code: 0 });
    expect(belowTrace(onlyOne(server.take("example.com", "curl"))).equals(octets)).toBe(true);
  });

  test("AUTH with the initial response, and AUTH= on MAIL", async () => {
    const sent = await run("curl", [
      ...common, "--sasl-ir", "--mail-auth", "jane@example.com", "--cacert", server.certificate, "--user", `jane@example.com:${password}`,
      `smtps://localhost:${server.submissions}/msg-1.eml`, "--upload-file", file(crlf(plain.octets)),
    ]); // prettier-ignore
    expect(sent).toMatchObject({ code: 0 });
    expect(server.take("example.com", "curl")).toHaveLength(1);
  });
});

describe.skipIf(lacks("msmtp"))("msmtp", () => {
  const common = [
    "--host=localhost",
    "--from=jane@example.com",
    "--add-missing-from-header=off",
    "--add-missing-date-header=off",
  ];
  const secure = ["--auth=plain", "--user=jane@example.com", `--passwordeval=echo '${password}'`, "--tls=on"];

  test.each(samples)("in clear: $name", async ({ octets }) => {
    const sent = await run("msmtp", [...common, `--port=${server.transfer}`, "msmtp@example.com"], octets);
    expect(sent).toMatchObject({ code: 0 });
    expect(belowTrace(onlyOne(server.take("example.com", "msmtp"))).equals(octets)).toBe(true);
  });

  test("STARTTLS and AUTH", async () => {
    const args = [
      ...common,
      `--port=${server.submission}`,
      ...secure,
      `--tls-trust-file=${server.certificate}`,
      "msmtp@example.com",
    ];
    expect(await run("msmtp", args, plain.octets)).toMatchObject({ code: 0 });
    expect(belowTrace(onlyOne(server.take("example.com", "msmtp"))).equals(plain.octets)).toBe(true);
  });

  test("TLS from the first octet", async () => {
    const args = [
      ...common,
      `--port=${server.submissions}`,
      ...secure,
      "--tls-starttls=off",
      `--tls-trust-file=${server.certificate}`,
      "msmtp@example.com",
    ];
    expect(await run("msmtp", args, plain.octets)).toMatchObject({ code: 0 });
    expect(server.take("example.com", "msmtp")).toHaveLength(1);
  });
});
