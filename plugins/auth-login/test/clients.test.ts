import { spawn } from "node:child_process";
import { type Mailhost, mailhost } from "@mailhost/core";
import { starttls } from "@mailhost/plugin-starttls";
import { type SunkMessage, sink } from "@mailhost/testkit";
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authLogin } from "../src/index.ts";
import { lacks, password, quietLog, verifier } from "./kit.ts";

let server: Mailhost;
let port: number;
const box = sink();
beforeAll(async () => {
  server = await mailhost({
    name: "localhost",
    log: quietLog,
    plugins: [starttls({ selfSigned: true }), verifier(), authLogin(), box],
    listeners: [{ host: "127.0.0.1", port: 0, mode: "submission" }],
  }).listen();
  port = server.addresses[0]?.port ?? 0;
});
afterAll(() => server.close());

/** The one message since the last call; ESMTPSA is TLS and AUTH (RFC 3848). */
function taken(): SunkMessage | undefined {
  const messages = box.messages.splice(0);
  expect(messages).toHaveLength(1);
  expect(messages[0]?.text).toContain("with ESMTPSA id");
  return messages[0];
}

/** Runs a program to its end; the server is in this process. */
const run = (program: string, args: readonly string[], input = ""): Promise<{ code: number | null; text: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { timeout: 15_000 });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (octets: Buffer) => (text += octets));
    child.on("error", reject).on("close", (code) => resolve({ code, text }));
    child.stdin.end(input);
  });

describe("nodemailer", () => {
  const send = (pass: string): Promise<unknown> =>
    createTransport({
      host: "127.0.0.1",
      port,
      requireTLS: true,
      tls: { rejectUnauthorized: false },
      authMethod: "LOGIN",
      auth: { user: "jürgen", pass },
    }).sendMail({ from: "jane@example.com", to: "joe@example.com", text: "Hello" });

  test("logs in, beyond ASCII too", async () => {
    await send("pässwörd ☃");
    expect(taken()?.recipients).toEqual(["joe@example.com"]);
  });

  test("is told of a wrong password", async () => {
    await expect(send("wrong")).rejects.toMatchObject({ responseCode: 535 });
  });
});

describe.skipIf(lacks("swaks"))("swaks", () => {
  const send = (pass: string): ReturnType<typeof run> =>
    run("swaks", [
      "--server", `127.0.0.1:${port}`, "--from", "jane@example.com", "--to", "joe@example.com", "--tls",
      "--auth", "LOGIN", "--auth-user", "jane", "--auth-password", pass,
    ]); // prettier-ignore

  test("logs in", async () => {
    const { code, text } = await send(password);
    expect(code, text).toBe(0);
    expect(text).toContain("334 UGFzc3dvcmQ6");
    taken();
  });

  test("is told of a wrong password", async () => {
    expect((await send("wrong")).code).toBe(28);
  });
});

describe.skipIf(lacks("curl"))("curl", () => {
  test.each([[[]], [["--sasl-ir"]]])("logs in with %j", async (more) => {
    const { code, text } = await run(
      "curl",
      [
        "--silent", "--show-error", "--insecure", "--ssl-reqd", `smtp://127.0.0.1:${port}/client.test`, ...more,
        "--mail-from", "jane@example.com", "--mail-rcpt", "joe@example.com", "--upload-file", "-",
        "--user", `jane:${password}`, "--login-options", "AUTH=LOGIN",
      ],
      "Subject: x\r\n\r\nHello\r\n",
    ); // prettier-ignore
    expect(code, text).toBe(0);
    taken();
  });
});

describe.skipIf(lacks("python3"))("python's smtplib", () => {
  const program = `
import smtplib, ssl, sys
port, user, password, initial = sys.argv[1:]
with smtplib.SMTP("127.0.0.1", int(port)) as client:
    client.starttls(context=ssl._create_unverified_context())
    client.ehlo()
    client.user, client.password = user, password
    client.auth("LOGIN", client.auth_login, initial_response_ok=initial == "yes")
    client.sendmail("jane@example.com", ["joe@example.com"], "Subject: x\\r\\n\\r\\nHello\\r\\n")
`;

  test.each(["yes", "no"])("logs in, initial response: %s", async (initial) => {
    const { code, text } = await run("python3", ["-c", program, String(port), "jane", password, initial]);
    expect(code, text).toBe(0);
    taken();
  });
});
