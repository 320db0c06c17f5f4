import { createTransport } from "nodemailer";
import { describe, expect, onTestFinished, test } from "vitest";
import { SocketClient } from "../../test/support/socket.ts";
import { type Fault, type FaultPoint, type Inbox, type InboxOptions, inbox } from "../src/index.ts";

async function open(options: InboxOptions = {}): Promise<Inbox> {
  const mail = await inbox(options);
  onTestFinished(() => mail.close());
  return mail;
}

const send = (mail: Inbox, to: string | string[] = "jane@example.com", from = "app@example.com") =>
  createTransport(mail.url).sendMail({ from, to, subject: "Hello", text: "Hello there" });

const login = `AUTH PLAIN ${Buffer.from("\0app\0secret").toString("base64")}`;
const body = "Subject: x\r\n\r\nHello\r\n.";
const mailLine = "MAIL FROM:<app@example.com>";
const rcptLine = "RCPT TO:<jane@example.com>";

/** What is said before, and at, each point that has a reply. */
const dialogues = {
  CONNECT: [],
  EHLO: ["EHLO app.test"],
  STARTTLS: ["EHLO app.test", "STARTTLS"],
  AUTH: ["EHLO app.test", login],
  MAIL: ["EHLO app.test", mailLine],
  RCPT: ["EHLO app.test", mailLine, rcptLine],
  DATA: ["EHLO app.test", mailLine, rcptLine, "DATA"],
  BODY: ["EHLO app.test", mailLine, rcptLine, "DATA", body],
} as const satisfies Record<Exclude<FaultPoint, "TLS">, readonly string[]>;

const points = Object.keys(dialogues) as (keyof typeof dialogues)[];

/** The reply to the last line of the dialogue; "" when there was none. */
async function hold(mail: Inbox, at: keyof typeof dialogues): Promise<{ client: SocketClient; reply: string }> {
  const client = SocketClient.to(mail.port);
  let reply = await client.reply();
  for (const line of dialogues[at]) reply = await client.ask(line);
  return { client, reply };
}

describe.each(points)("at %s", (at) => {
  const code = at === "CONNECT" ? 554 : 450;
  const expected: Record<typeof at, RegExp> = {
    CONNECT: /^220 inbox\.test /,
    EHLO: /^250-/,
    STARTTLS: /^220 2\.0\.0 /,
    AUTH: /^235 /,
    MAIL: /^250 2\.1\.0 /,
    RCPT: /^250 2\.1\.5 /,
    DATA: /^354 /,
    BODY: /^250 2\.0\.0 /,
  };

  test("a reply is the client's, and the next one gets through", async () => {
    const mail = await open({ tls: true, auth: true });
    const fault = mail.fault({ at, reply: `${code} As the test says`, times: 1 });
    const { client, reply } = await hold(mail, at);
    expect(reply).toBe(`${code} As the test says`);
    if (at !== "CONNECT") expect(await client.ask("NOOP")).toBe("250 2.0.0 Ok");
    expect(fault.hits).toBe(1);
    expect((await hold(mail, at)).reply).toMatch(expected[at]);
    expect(fault.hits).toBe(1);
    expect(mail.messages()).toHaveLength(at === "BODY" ? 1 : 0);
  });

  test("a 421 closes the connection", async () => {
    const mail = await open({ tls: true, auth: true });
    mail.fault({ at, reply: "421 4.3.2 Down for maintenance", delay: 5 });
    const { client, reply } = await hold(mail, at);
    expect(reply).toBe("421 4.3.2 Down for maintenance");
    expect(await client.rest()).toBe("");
    expect(mail.messages()).toEqual([]);
  });

  test("a dropped connection ends without a word", async () => {
    const mail = await open({ tls: true, auth: true });
    const fault = mail.fault({ at, drop: true });
    const { client, reply } = await hold(mail, at);
    expect(reply).toBe("");
    expect(await client.rest()).toBe("");
    expect(fault.hits).toBe(1);
    expect(mail.messages()).toEqual([]);
  });

  test("a delay comes before the answer, a drop and a reply", async () => {
    const mail = await open({ tls: true, auth: true });
    const faults: Omit<Fault, "at">[] = [{}, { drop: true }, { reply: "421 4.3.2 Down" }];
    for (const more of faults) {
      mail.fault({ at, delay: 30, times: 1, ...more });
      const started = performance.now();
      const { reply } = await hold(mail, at);
      // Timers may be early by a rounding
      expect(performance.now() - started).toBeGreaterThan(28);
      expect(reply).toMatch(more.drop ? /^$/ : more.reply === undefined ? expected[at] : /^421 4\.3\.2 Down$/);
    }
    expect(mail.messages()).toHaveLength(at === "BODY" ? 1 : 0);
  });

  test("close() does not wait for a delay", async () => {
    const mail = await inbox({ tls: true, auth: true });
    const fault = mail.fault({ at, delay: 3_600_000 });
    const held = hold(mail, at);
    while (fault.hits === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await mail.close();
    expect((await held).reply).toMatch(/^(421 4\.3\.2 .*)?$/);
    expect(mail.messages()).toEqual([]);
  });
});

test("a pipelined group is refused at MAIL, and a 421 is the last word of it", async () => {
  const mail = await open();
  mail.fault({ at: "MAIL", reply: "421 4.7.0 Slow down" });
  const client = SocketClient.to(mail.port);
  await client.reply();
  await client.ask("EHLO app.test");
  client.send(`${mailLine}\r\n${rcptLine}\r\nDATA\r\n`);
  expect(await client.rest()).toBe("421 4.7.0 Slow down\r\n");
});

describe("which transaction", () => {
  test("only that recipient, at RCPT", async () => {
    const mail = await open();
    const [jane, joe] = [mail.address("jane"), mail.address("joe")];
    mail.fault({ at: "RCPT", to: joe, reply: "550 5.1.1 No such user" });
    expect((await send(mail, [jane, joe])).rejected).toEqual([joe]);
    expect((await mail.next({ to: jane })).to).toEqual([jane]);
    await expect(send(mail, joe.toUpperCase())).rejects.toThrow(/550 5\.1\.1 No such user/);
  });

  test.each(["DATA", "BODY"] as const)("any message to that recipient, at %s", async (at) => {
    const mail = await open();
    const [jane, joe] = [mail.address("jane"), mail.address("joe")];
    const fault = mail.fault({ at, to: /^joe\./, reply: "452 4.3.1 Disk full" });
    await send(mail, jane);
    await expect(send(mail, [jane, joe])).rejects.toThrow(/452 4\.3\.1 Disk full/);
    await send(mail, jane);
    expect(fault.hits).toBe(1);
    expect(mail.messages()).toHaveLength(2);
  });

  test("a recipient of an earlier transaction is none of this one", async () => {
    const mail = await open();
    mail.fault({ at: "DATA", to: "jane@example.com", reply: "451 4.3.0 No" });
    const { client, reply } = await hold(mail, "DATA");
    expect(reply).toBe("451 4.3.0 No");
    for (const line of ["RSET", mailLine, "RCPT TO:<joe@example.com>"]) await client.ask(line);
    expect(await client.ask("DATA")).toMatch(/^354 /);
  });

  test.each(["MAIL", "RCPT", "DATA", "BODY"] as const)("only that sender, at %s", async (at) => {
    const mail = await open();
    mail.fault({ at, from: "Bulk@example.com", reply: "550 5.7.1 Not you" });
    mail.fault({ at, from: "", reply: "550 5.7.1 No bounces" });
    await send(mail);
    await expect(send(mail, "jane@example.com", "bulk@example.com")).rejects.toThrow(/550 5\.7\.1 Not you/);
    await expect(send(mail, "jane@example.com", "")).rejects.toThrow(/550 5\.7\.1 No bounces/);
  });
});

test("faults happen in the order they were added, each as often as it says, until removed", async () => {
  const mail = await open();
  const [twice, once, always] = [
    mail.fault({ at: "RCPT", reply: "451 4.3.0 first", times: 2 }),
    mail.fault({ at: "RCPT", reply: "452 4.2.2 second", times: 1 }),
    mail.fault({ at: "RCPT", reply: "550 5.1.1 third" }),
  ];
  for (const text of ["first", "first", "second", "third", "third"]) await expect(send(mail)).rejects.toThrow(text);
  expect([twice.hits, once.hits, always.hits]).toEqual([2, 1, 2]);
  always.remove();
  await send(mail);
  expect(always.hits).toBe(2);
});

test("an application that retries gets through", async () => {
  const mail = await open();
  const to = mail.address("retry");
  const greylisted = mail.fault({ at: "RCPT", to, reply: "451 4.7.1 Greylisted", times: 2 });
  let sent = 0;
  for (; sent < 5; sent += 1)
    if (
      await send(mail, to).then(
        () => true,
        () => false,
      )
    )
      break;
  expect(sent).toBe(2);
  expect(greylisted.hits).toBe(2);
  await mail.next({ to });
});

describe("dropped in the body", () => {
  const big = (mail: Inbox, octets: number) =>
    createTransport(mail.url).sendMail({ from: "a@example.com", to: "jane@example.com", text: "x".repeat(octets) });

  test.each([0, 1, 100, 50_000])("after %i octets", async (afterOctets) => {
    const mail = await open();
    const fault = mail.fault({ at: "BODY", drop: { afterOctets }, times: 1 });
    await expect(big(mail, 100_000)).rejects.toThrow(/closed|ECONNRESET|EPIPE/);
    expect(fault.hits).toBe(1);
    expect(mail.messages()).toEqual([]);
    await big(mail, 100_000);
    expect(mail.messages()).toHaveLength(1);
  });

  test("a shorter message gets through, and the octets of each are counted anew", async () => {
    const mail = await open();
    const fault = mail.fault({ at: "BODY", drop: { afterOctets: 2000 } });
    const app = createTransport({ host: mail.host, port: mail.port, pool: true, maxConnections: 1 });
    onTestFinished(() => app.close());
    for (let count = 0; count < 5; count += 1)
      await app.sendMail({ from: "a@example.com", to: "jane@example.com", text: "x".repeat(500) });
    expect(mail.messages()).toHaveLength(5);
    expect(fault.hits).toBe(0);
  });

  test("a body that comes whole, end and all, in one piece", async () => {
    const mail = await open();
    mail.fault({ at: "BODY", drop: { afterOctets: 10 } });
    expect((await hold(mail, "BODY")).reply).toBe("");
    expect(mail.messages()).toEqual([]);
  });

  test("only for that recipient", async () => {
    const mail = await open();
    mail.fault({ at: "BODY", to: "joe@example.com", drop: { afterOctets: 10 } });
    await send(mail, "jane@example.com");
    await expect(send(mail, "joe@example.com")).rejects.toThrow(/closed|ECONNRESET|EPIPE/);
  });
});

describe("addresses that name faults, as mox has them", () => {
  test.each([
    ["temperror", /451 4\.0\.0/],
    ["jane-permerror", /550 5\.0\.0/],
    ["user-452", /452 4\.0\.0/],
    ["user599", /599 5\.0\.0/],
    ["PermError", /550 5\.0\.0/],
    ["rcptto-temperror", /451 4\.0\.0/],
    ["rcptto550", /550 5\.0\.0/],
    ["421", /421 4\.0\.0/],
    ["drop", /closed|ECONNRESET/],
    ["rcptto-drop", /closed|ECONNRESET/],
  ])("%s", async (local, seen) => {
    const mail = await open({ localPartFaults: true });
    await expect(send(mail, `${local}@example.com`)).rejects.toThrow(seen);
    expect(mail.messages()).toEqual([]);
  });

  test.each([
    ["user-600", "app"],
    ["user-399", "app"],
    ["45", "app"],
    ["temperror-not", "app"],
    ["mailfrom-451x", "mailfrom"],
    // mox looks at the sender only when its address begins with mailfrom
    ["jane", "temperror"],
  ])("%s from %s gets through", async (to, from) => {
    const mail = await open({ localPartFaults: true });
    await send(mail, `${to}@example.com`, `${from}@example.com`);
    expect(mail.messages()).toHaveLength(1);
  });

  test("mailfrom and rcptto name the command, all others the end of the message", async () => {
    const mail = await open({ localPartFaults: true });
    const client = SocketClient.to(mail.port);
    await client.reply();
    await client.ask("EHLO app.test");
    expect(await client.ask("MAIL FROM:<mailfrom-550@example.com>")).toMatch(/^550 5\.0\.0 Failure with code 550/);
    await client.ask(mailLine);
    expect(await client.ask("RCPT TO:<rcptto-x-452@example.com>")).toMatch(/^452 4\.0\.0 /);
    expect(await client.ask("RCPT TO:<temperror@example.com>")).toMatch(/^250 /);
    expect(await client.ask("DATA")).toMatch(/^354 /);
    expect(await client.ask(body)).toMatch(/^451 4\.0\.0 /);
  });

  test("timeout says nothing, and 30ms waits and goes on", async () => {
    const mail = await open({ localPartFaults: true });
    const app = createTransport({ host: mail.host, port: mail.port, socketTimeout: 100 });
    await expect(app.sendMail({ from: "a@example.com", to: "rcptto-timeout@example.com", text: "x" })).rejects.toThrow(
      /timeout/i,
    );
    const started = performance.now();
    await send(mail, "slow-30ms@example.com");
    expect(performance.now() - started).toBeGreaterThan(28);
    expect(mail.messages()).toHaveLength(1);
  });

  test("a scripted fault comes first", async () => {
    const mail = await open({ localPartFaults: true });
    mail.fault({ at: "BODY", reply: "552 5.2.2 Full", times: 1 });
    await expect(send(mail, "temperror@example.com")).rejects.toThrow(/552 5\.2\.2 Full/);
    await expect(send(mail, "temperror@example.com")).rejects.toThrow(/451/);
  });

  test("off unless asked for: addresses made of the time end like that too", async () => {
    const mail = await open();
    for (const local of ["user1700000000451", "temperror", "rcptto550", "drop"])
      await send(mail, `${local}@example.com`);
    expect(mail.messages()).toHaveLength(4);
  });

  test("an address the inbox made never names one", async () => {
    const mail = await open({ localPartFaults: true });
    for (const name of ["temperror", "rcptto", "x451"]) await send(mail, mail.address(name));
    expect(mail.messages()).toHaveLength(3);
  });
});

test.each([
  [{ at: "rcpt", reply: "550 no" }, "fault at rcpt: there is no such point; there are CONNECT, TLS, EHLO"],
  [{ at: "RCPT" }, "it says no reply, drop or delay"],
  [{ at: "RCPT", delay: 0 }, "it says no reply, drop or delay"],
  [{ at: "RCPT", delay: -1 }, "a delay is milliseconds, not -1"],
  [{ at: "RCPT", delay: Number.NaN }, "a delay is milliseconds, not NaN"],
  [{ at: "RCPT", reply: "550 no", drop: true }, "it has a reply and drops the connection"],
  [{ at: "RCPT", reply: "550 no", times: 0 }, "times is a count, not 0"],
  [{ at: "RCPT", reply: "550 no", times: 1.5 }, "times is a count, not 1.5"],
  [{ at: "MAIL", to: "jane@example.com", reply: "550 no" }, "no recipient is known yet"],
  [{ at: "EHLO", from: "jane@example.com", reply: "550 no" }, "no sender is known yet"],
  [{ at: "RCPT", to: "jane", reply: "550 no" }, 'to: "jane" is no address'],
  [{ at: "RCPT", drop: { afterOctets: 1 } }, "octets are counted at BODY"],
  [{ at: "BODY", drop: { afterOctets: -1 } }, "afterOctets is a count, not -1"],
  [{ at: "DATA", drop: { after: -5 } }, "drop of a fault has no after"],
  [{ at: "BODY", drop: { afterOctet: 5 } }, "did you mean afterOctets?"],
  [{ at: "BODY", drop: {} }, "afterOctets is a count, not undefined"],
  [{ at: "TLS", reply: "454 no" }, "a handshake has no replies: use STARTTLS"],
  [{ at: "CONNECT", reply: "450 no" }, "a connection is refused with 421, 521 or 554"],
  [{ at: "RCPT", reply: "250 ok" }, '"250 ok" is no refusal; one reads "451 4.3.0 Try again later"'],
  [{ at: "RCPT", reply: "550 4.1.1 no" }, "status 4.1.1 does not agree with code 550"],
  [{ at: "RCPT", reply: "550 no\r\n250 yes" }, "is no refusal"],
  [{ at: "RCPT", reply: "550 nö" }, "not printable ASCII"],
] as const)("a fault that cannot happen is a mistake, said at once: %j", async (fault, why) => {
  const mail = await open();
  // JavaScript can say what the types forbid
  expect(() => mail.fault(fault as Fault)).toThrow(TypeError);
  expect(() => mail.fault(fault as Fault)).toThrow(why);
});
