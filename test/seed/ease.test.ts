import { Writable } from "node:stream";
import { type Mailhost, mailhost } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { authPlain } from "@mailhost/plugin-auth-plain";
import { debugLog } from "@mailhost/plugin-debug-log";
import { mux } from "@mailhost/plugin-mux";
import { starttls } from "@mailhost/plugin-starttls";
import { createTransport } from "nodemailer";
import { expect, onTestFinished, test } from "vitest";
import { quietLog } from "../support/dialogue.ts";

// What the seed offered, each with a program as short as the seed's, and a real client on the other side.

const portOf = (server: Mailhost): number => {
  onTestFinished(() => server.close());
  return server.addresses[0]?.port ?? 0;
};

const letter = { from: "joe@example.net", to: "jane@example.com", subject: "Hello", text: "How are you?" };

test("a muxer", async () => {
  const got: string[] = [];
  const routes = mux();
  routes.handle("jane@example.com", async (envelope) => void got.push(await envelope.text()));
  const server = await mailhost({ plugins: [routes] }).listen(0, "127.0.0.1");

  await createTransport({ host: "127.0.0.1", port: portOf(server) }).sendMail(letter);
  expect(got).toEqual([expect.stringContaining("How are you?")]);
});

test("STARTTLS", async () => {
  const got: boolean[] = [];
  const routes = mux().handle("*@example.com", ({ session }) => void got.push(session.tls !== undefined));
  const server = await mailhost({ plugins: [starttls({ selfSigned: true }), routes], log: quietLog }).listen(
    0,
    "127.0.0.1",
  );

  const tls = { rejectUnauthorized: false };
  await createTransport({ host: "127.0.0.1", port: portOf(server), requireTLS: true, tls }).sendMail(letter);
  expect(got).toEqual([true]);
});

test("AUTH PLAIN through a callback", async () => {
  const asked: string[][] = [];
  const got: (string | undefined)[] = [];
  const auth = authPlain({
    allowInsecure: true,
    failureDelay: 0,
    verify: (...question) => {
      asked.push(question);
      return question[1] === "open sesame";
    },
  });
  const routes = mux().handle("*@example.com", ({ session }) => void got.push(session.identity?.name));
  const server = await mailhost({ plugins: [auth, routes] }).listen(0, "127.0.0.1");

  const port = portOf(server);
  const send = (pass: string) =>
    createTransport({ host: "127.0.0.1", port, ignoreTLS: true, auth: { user: "joe", pass } }).sendMail(letter);
  await expect(send("guess")).rejects.toMatchObject({ responseCode: 535 });
  await send("open sesame");
  expect(got).toEqual(["joe"]);
  expect(asked).toContainEqual(["joe", "open sesame", "127.0.0.1"]);
});

test("an addressable callback", async () => {
  const asked: [string | undefined, string][] = [];
  const accept = (user: string | undefined, address: string): boolean => {
    asked.push([user, address]);
    return address === "jane@example.com";
  };
  const routes = mux().handle("*@*", () => {});
  const server = await mailhost({ plugins: [addressable({ accept }), routes] }).listen(0, "127.0.0.1");

  const transport = createTransport({ host: "127.0.0.1", port: portOf(server) });
  await transport.sendMail(letter);
  await expect(transport.sendMail({ ...letter, to: "joe@elsewhere.test" })).rejects.toMatchObject({
    responseCode: 550,
  });
  expect(asked).toEqual([
    [undefined, "jane@example.com"],
    [undefined, "joe@elsewhere.test"],
  ]);
});

test("a server name", async () => {
  const got: string[] = [];
  const routes = mux().handle("*@example.com", async (envelope) => void got.push(await envelope.text()));
  const server = await mailhost({ name: "mx.example.org", plugins: [routes] }).listen(0, "127.0.0.1");

  await createTransport({ host: "127.0.0.1", port: portOf(server) }).sendMail(letter);
  expect(got).toEqual([expect.stringMatching(/^Received: from .*\r\n\tby mx\.example\.org with ESMTP id /)]);
});

test("a protocol dump", async () => {
  let dump = "";
  const text = new Writable({ write: (chunk, _encoding, done) => done(void (dump += String(chunk))) });
  const routes = mux().handle("*@example.com", () => {});
  const server = await mailhost({ name: "mx.example.org", plugins: [routes, debugLog({ text })] }).listen(
    0,
    "127.0.0.1",
  );

  await createTransport({ host: "127.0.0.1", port: portOf(server) }).sendMail(letter);
  await server.close();
  for (const line of ["S: 220 mx.example.org ESMTP", "C: RCPT TO:<jane@example.com>", "S: 354 "])
    expect(dump).toContain(line);
});
