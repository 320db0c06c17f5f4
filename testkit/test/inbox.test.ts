import { createServer } from "node:net";
import * as fc from "fast-check";
import { createTransport } from "nodemailer";
import { expect, onTestFinished, test, vi } from "vitest";
import { SocketClient } from "../../test/support/socket.ts";
import { type Inbox, type InboxOptions, InboxTimeoutError, inbox } from "../src/index.ts";
import { Mailbox, readFilter } from "../src/inbox/mailbox.ts";
import { InboxMessage } from "../src/inbox/message.ts";

async function open(options: InboxOptions = {}): Promise<Inbox> {
  const mail = await inbox(options);
  onTestFinished(() => mail.close());
  return mail;
}

const send = (mail: Inbox, to: string | string[], subject = "Hello", from = "app@example.com") =>
  createTransport(mail.url).sendMail({ from, to, subject, text: "Hello there" });

test("a message is there, parsed and octet for octet", async () => {
  const mail = await open();
  const to = mail.address("signup");
  await createTransport({ host: mail.host, port: mail.port, name: "app.test" }).sendMail({
    envelope: { from: "bounces@example.com", to: [to, "hidden@example.org"] },
    from: "Shop <shop@example.com>",
    to,
    subject: "Willkommen, Zoë",
    text: "Your code is 123456",
    html: '<p>Go <a href="https://shop.example/confirm?a=1&amp;b=2">on</a></p>',
    attachments: [{ filename: "terms.txt", content: "be nice" }],
  });
  const message = await mail.next({ to });
  expect(message).toMatchObject({
    from: "bounces@example.com",
    to: [to, "hidden@example.org"],
    subject: "Willkommen, Zoë",
    client: { address: "127.0.0.1", name: "app.test" },
    auth: undefined,
    tls: undefined,
  });
  expect(message.parsed.from).toEqual({ name: "Shop", address: "shop@example.com" });
  expect(message.text).toBe("Your code is 123456");
  expect(message.html).toContain("<p>Go ");
  expect(message.links).toEqual(["https://shop.example/confirm?a=1&b=2"]);
  expect(message.attachments).toMatchObject([{ filename: "terms.txt", mimeType: "text/plain" }]);
  expect(message.header("Message-ID")).toBe(message.parsed.messageId);
  expect(message.header("X-None")).toBe("");
  expect(message.id).toMatch(/^[0-9A-Z]+$/);
  expect(message.receivedAt).toBeInstanceOf(Date);
  expect(new TextDecoder().decode(message.raw)).toMatch(/^From: Shop <shop@example.com>\r\nTo: /);
});

test("whoever asks first gets it too", async () => {
  const mail = await open();
  const to = mail.address();
  const waiting = mail.next({ to });
  await send(mail, to);
  expect((await waiting).to).toEqual([to]);
});

test("addresses are all different, and say what they are for", async () => {
  const mail = await open({ domain: "shop.example" });
  const made = Array.from({ length: 1000 }, () => mail.address("signup"));
  expect(new Set(made).size).toBe(1000);
  for (const address of made) expect(address).toMatch(/^signup\.[a-z0-9]+-\d+x@shop\.example$/);
});

test("fifty tests at once see their own messages, in order", async () => {
  const mail = await open();
  const app = createTransport({ host: mail.host, port: mail.port, pool: true, maxConnections: 5 });
  onTestFinished(() => app.close());
  const one = async (): Promise<void> => {
    const to = mail.address();
    for (const subject of ["first", "second"]) await app.sendMail({ from: "app@example.com", to, subject, text: "x" });
    expect((await mail.next({ to })).subject).toBe("first");
    expect((await mail.next({ to })).subject).toBe("second");
    await mail.none({ to, within: 0 });
    expect(mail.messages({ to })).toHaveLength(2);
  };
  await Promise.all(Array.from({ length: 50 }, one));
});

test("a message to two people is there for both, once each", async () => {
  const mail = await open();
  const [jane, joe] = [mail.address("jane"), mail.address("joe")];
  await send(mail, [jane, joe]);
  const [hers, his] = [await mail.next({ to: jane }), await mail.next({ to: joe })];
  expect(hers).toBe(his);
  await expect(mail.next({ to: jane, timeout: 0 })).rejects.toThrow(InboxTimeoutError);
  expect(mail.messages()).toEqual([hers]);
});

test("next() without an address takes the message whole", async () => {
  const mail = await open();
  await send(mail, [mail.address(), mail.address()]);
  await mail.next();
  await mail.none({ within: 0 });
});

test("filters: addresses without case, patterns, subjects, the null sender", async () => {
  const mail = await open();
  await send(mail, "Jane.Doe@EXAMPLE.com", "Order 7 confirmed");
  await send(mail, "jane.doe@example.com", "Bounce", "");
  const all = { to: "jane.doe@example.com" };
  expect(mail.messages(all)).toHaveLength(2);
  expect(mail.messages({ ...all, from: "" })).toMatchObject([{ subject: "Bounce", from: "" }]);
  expect(mail.messages({ ...all, from: "APP@example.com" })).toMatchObject([{ subject: "Order 7 confirmed" }]);
  expect(mail.messages({ subject: /order \d/i })).toHaveLength(1);
  expect(mail.messages({ subject: "Order 7" })).toHaveLength(0);
  const everywhere = /example/g; // keeps its place between uses
  expect(mail.messages({ to: everywhere })).toHaveLength(2);
  expect(mail.messages({ to: everywhere })).toHaveLength(2);
});

test("a filter that can mean nothing is a mistake, said at once", async () => {
  const mail = await open();
  await expect(mail.next({ to: "signup" })).rejects.toThrow(
    'to: "signup" is no address; use one, or a regular expression',
  );
  expect(() => mail.messages({ from: "a b@example.com" })).toThrow(TypeError);
});

test("a word misspelt is a mistake, said at once", async () => {
  const mail = await open();
  // What JavaScript may say
  const words = (given: object): never => given as never;
  await expect(mail.next(words({ subjct: "x" }))).rejects.toThrow("a filter has no subjct: did you mean subject?");
  expect(() => mail.messages(words({ timeout: 1 }))).toThrow(TypeError);
  expect(() => mail.fault(words({ at: "RCPT", replay: "550 no" }))).toThrow(
    "a fault has no replay: did you mean reply?",
  );
  await expect(inbox(words({ starttls: true }))).rejects.toThrow("inbox() has no starttls");
  await expect(inbox(words({ tls: "yes" }))).rejects.toThrow(
    "tls is true or one of starttls, required, implicit, not yes",
  );
  expect(() => mail.address("sign up")).toThrow(/would be no address/);
});

test("the fake timers of a test do not reach it", async () => {
  const mail = await open();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "Date", "queueMicrotask"] });
  onTestFinished(() => void vi.useRealTimers());
  await expect(mail.next({ timeout: 10 })).rejects.toThrow(InboxTimeoutError);
  mail.fault({ at: "MAIL", delay: 5, reply: "421 4.3.2 Down", times: 1 });
  const client = SocketClient.to(mail.port);
  await client.reply();
  await client.ask("EHLO app.test");
  expect(await client.ask("MAIL FROM:<>")).toBe("421 4.3.2 Down");
  expect(await client.rest()).toBe("");
});

test("waiting for ever is waiting for ever", async () => {
  const mail = await open({ timeout: Infinity });
  const waiting = mail.next();
  await new Promise((resolve) => setTimeout(resolve, 10));
  await send(mail, "jane@example.com");
  await waiting;
});

test("addresses beyond ASCII", async () => {
  const mail = await open();
  await send(mail, "zoë@bücher.example");
  expect((await mail.next({ to: "Zoë@BÜCHER.example" })).to).toEqual(["zoë@xn--bcher-kva.example"]);
});

test("a wait in vain says what came instead, and who was refused", async () => {
  const mail = await open({ limits: { messageOctets: 2000 } });
  const to = mail.address("nobody");
  await expect(mail.next({ to, timeout: 5 })).rejects.toThrow(
    `no message to ${to} came within 5 ms\nNo client has connected to this inbox.`,
  );
  await send(mail, "jane@example.com", "Welcome");
  await send(mail, "joe@example.com", "x".repeat(3000)).catch(() => {});
  const client = SocketClient.to(mail.port);
  await client.reply();
  await client.ask("EHLO app.test");
  await client.ask("QUIT");
  await mail.next({ to: "jane@example.com" });
  const error: unknown = await mail.next({ to, subject: /code/, timeout: 5 }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InboxTimeoutError);
  expect(String(error).split("\n")).toEqual([
    `InboxTimeoutError: no message to ${to} with subject /code/ came within 5 ms`,
    "The inbox holds 1 message:",
    '  to jane@example.com, from app@example.com, subject "Welcome" (taken)',
    "Clients that left no message:",
    "  DATA for joe@example.com -> 552 5.3.4 Message too big",
    "  QUIT -> 221 2.0.0 Bye, then quit",
  ]);
});

test("the last ten lines are shown of each", async () => {
  const mail = await open();
  for (let count = 0; count < 12; count += 1) await send(mail, mail.address(), `number ${count}`);
  const error = String(await mail.next({ subject: "number 12", timeout: 0 }).catch((reason: unknown) => reason));
  expect(error).toContain("The inbox holds 12 messages:\n  (2 before)\n");
  expect(error).not.toContain('"number 1"\n');
  expect(error).toContain('"number 11"');
});

test("none() waits for what must not come, and names it when it does", async () => {
  const mail = await open();
  const to = mail.address();
  await mail.none({ to, within: 1 });
  const waiting = mail.none({ to, within: 10_000 });
  await send(mail, to, "Surprise");
  await expect(waiting).rejects.toThrow(
    `a message came that should not have: to ${to}, from app@example.com, subject "Surprise"`,
  );
  // It was looked at, not taken
  expect((await mail.next({ to })).subject).toBe("Surprise");
});

test("clear() forgets some messages, or everything", async () => {
  const mail = await open();
  const [jane, joe] = [mail.address("jane"), mail.address("joe")];
  await send(mail, jane);
  await send(mail, joe);
  mail.fault({ at: "RCPT", reply: "550 5.1.1 No" });
  mail.clear({ to: jane });
  expect(mail.messages()).toMatchObject([{ to: [joe] }]);
  await expect(send(mail, jane)).rejects.toThrow(/550/);
  mail.clear();
  expect(mail.messages()).toEqual([]);
  await send(mail, jane);
  await mail.next({ to: jane });
});

test("close() tells who waits, hangs up on who is connected, and may be called twice", async () => {
  const mail = await inbox();
  const client = SocketClient.to(mail.port);
  await client.reply();
  await send(mail, "jane@example.com");
  const waiting = mail.next({ to: "joe@example.com" });
  await Promise.all([mail.close(), mail.close()]);
  expect(await client.rest()).toBe("421 4.3.2 Service shutting down, try again later\r\n");
  await expect(waiting).rejects.toThrow("the inbox was closed");
  await expect(mail.next({ to: "joe@example.com" })).rejects.toThrow("the inbox was closed");
  // What came is still there to be looked at
  expect((await mail.next({ to: "jane@example.com" })).subject).toBe("Hello");
  await expect(send(mail, "jane@example.com")).rejects.toThrow(/ECONNREFUSED/);
});

test("an inbox can be disposed of", async () => {
  const mail = await inbox();
  const disposable: AsyncDisposable = mail;
  await disposable[Symbol.asyncDispose]();
  await expect(createTransport(mail.url).verify()).rejects.toThrow(/ECONNREFUSED/);
});

test("a failing test that never awaits what it asked for leaves no unhandled rejection", async () => {
  const seen: unknown[] = [];
  const note = (reason: unknown): void => void seen.push(reason);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  const mail = await inbox();
  void mail.next({ to: mail.address() });
  void mail.next({ to: "mistake" });
  void mail.none();
  await mail.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([]);
});

test("a port of one's own, or an error that names it", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void other.close());
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await expect(inbox({ port })).rejects.toThrow(`EADDRINUSE: address already in use 127.0.0.1:${port}`);
  await new Promise((resolve) => other.close(resolve));
  const mail = await open({ port });
  expect(mail.url).toBe(`smtp://127.0.0.1:${port}`);
});

test("listens on ::1 when told to", async () => {
  const mail = await open({ host: "::1" });
  expect(mail.url).toBe(`smtp://[::1]:${mail.port}`);
  await createTransport({ host: "::1", port: mail.port }).sendMail({
    from: "a@example.com",
    to: "b@example.com",
    text: "x",
  });
  expect((await mail.next()).client.address).toBe("::1");
});

test("limits are those of mailhost", async () => {
  const mail = await open({ limits: { recipients: 1 } });
  const info = await send(mail, ["jane@example.com", "joe@example.com"]);
  expect(info.rejected).toEqual(["joe@example.com"]);
  expect((await mail.next()).to).toEqual(["jane@example.com"]);
});

test("a message that a client does not wait for is kept", async () => {
  const mail = await open();
  const client = SocketClient.to(mail.port);
  await client.reply();
  client.send("HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<jane@example.com>\r\n");
  for (let count = 0; count < 3; count += 1) await client.reply();
  await client.ask("DATA");
  client.send("Subject: gone\r\n\r\nx\r\n.\r\n");
  client.socket.end();
  expect((await mail.next({ to: "jane@example.com" })).subject).toBe("gone");
});

const letter = (id: string, to: readonly string[]): InboxMessage =>
  new InboxMessage(
    {
      id,
      receivedAt: new Date(0),
      from: "",
      to,
      client: { address: "192.0.2.1", port: 1, name: "" },
      auth: undefined,
      tls: undefined,
    },
    new Uint8Array(0),
    { email: undefined, error: new Error("none"), text: "" },
  );

test("whatever the order of messages and waits, each address gets its own, each once, in order", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.subarray([0, 1, 2, 3], { minLength: 1 }), fc.constantFrom(0, 1, 2, 3)), { maxLength: 40 }),
      async (steps) => {
        const mailbox = new Mailbox();
        const address = (who: number): string => `box${who}@example.com`;
        const got = [0, 1, 2, 3].map((): Promise<InboxMessage | undefined>[] => []);
        const sent = [0, 1, 2, 3].map((): string[] => []);
        for (const [index, step] of steps.entries()) {
          if (typeof step === "number") got[step]?.push(mailbox.wait(readFilter({ to: address(step) }), 1000, true));
          else {
            for (const who of step) sent[who]?.push(String(index));
            mailbox.add(letter(String(index), step.map(address)));
          }
        }
        mailbox.close(new Error("over"));
        for (const [who, waits] of got.entries()) {
          const settled = await Promise.allSettled(waits);
          const ids = settled.map((one) => (one.status === "fulfilled" ? one.value?.id : "nothing"));
          expect(ids).toEqual(waits.map((_, index) => sent[who]?.[index] ?? "nothing"));
        }
      },
    ),
  ));
