import { type MailhostOptions, type Plugin, defaultLimits, replies } from "@mailhost/core";
import { TestClock, sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { base64, upgrading, words } from "../support/auth.ts";
import { open, opened, plugin } from "../support/dialogue.ts";
import { connect, listening } from "../support/sockets.ts";

type Provocation = () => Promise<string[]>;

/** Says the lines, and gives everything that was answered. */
const say =
  (options: Partial<MailhostOptions>, ...lines: string[]): Provocation =>
  async () => {
    const held = await open({ plugins: [sink()], ...options });
    await held.hear(1);
    held.say(...lines);
    // A message takes its time: its answer is the tenth line
    return held.hear(lines.at(-1) === "." ? 10 : 0);
  };

const plain = (...lines: string[]): Provocation => say({}, ...lines);
const ready = (...lines: string[]): Provocation => plain("EHLO client.test", ...lines);
const mail = (...lines: string[]): Provocation => plain(...opened, ...lines);
const body = (options: Partial<MailhostOptions>, ...lines: string[]): Provocation =>
  say(options, ...opened, "RCPT TO:<joe@example.com>", "DATA", ...lines, ".");
const auth = (...lines: string[]): Provocation => say({ plugins: [sink(), words()] }, "EHLO client.test", ...lines);
const judge = (apply: Parameters<typeof plugin>[1]): Plugin => plugin("judge", apply);
const rcpt = (...plugins: Plugin[]): Provocation => say({ plugins }, ...opened, "RCPT TO:<joe@example.com>");

const late =
  (milliseconds: number, timeouts: MailhostOptions["timeouts"]): Provocation =>
  async () => {
    const clock = new TestClock();
    const held = await open({ plugins: [sink()], clock, ...(timeouts === undefined ? {} : { timeouts }) });
    await held.hear(1);
    clock.advance(milliseconds);
    return held.hear(1);
  };

const crowd =
  (limits: MailhostOptions["limits"]): Provocation =>
  async () => {
    const { port } = await listening({ plugins: [sink()], ...(limits === undefined ? {} : { limits }) });
    const first = connect(port);
    await first.hear(1);
    return connect(port).hear(1);
  };

const route = (...routes: { transport: string; nexthop?: string }[]): Plugin =>
  plugin("route", ({ hooks }) =>
    hooks.rcpt.tap("route", (recipient) => {
      recipient.permit("local");
      for (const one of routes) recipient.routeTo(one);
    }),
  );

const full = plugin("full", (host) => {
  host.extend({ transports: [{ kind: "local", phases: "two" }] });
  const commit = (): never => {
    throw Object.assign(new Error("disk full"), { code: "ENOSPC" });
  };
  host.hooks.queue.for("full").tap("full", (delivery) => delivery.stage({ commit, abort: () => {} }));
});

const silent = plugin("silent", (host) => host.extend({ transports: [{ kind: "local", phases: "two" }] }));

/** Every reply of core, and what provokes it. The compiler wants each. */
const provocations: Record<keyof typeof replies, Provocation> = {
  bye: plain("QUIT"),
  ok: plain("NOOP"),
  shuttingDown: async () => {
    const held = await open({ plugins: [sink()] });
    held.engine.drain();
    return held.hear();
  },
  idleTooLong: late(1000, { command: 1000 }),
  sessionTooLong: late(1000, { session: 1000 }),
  tooManyConnections: crowd({ connections: 1 }),
  tooManyFromYou: crowd({ connectionsPerClient: 1 }),
  tooManyErrors: plain(...Array.from({ length: defaultLimits.errors }, () => "MAIL")),
  tooManyCommands: say({ limits: { commands: 2 } }, "NOOP", "NOOP", "NOOP"),
  tooManyUnknown: plain("A", "B", "C", "D", "E"),
  otherProtocol: plain("GET / HTTP/1.1"),
  internal: rcpt(
    sink(),
    judge(({ hooks }) =>
      hooks.rcpt.tap("judge", () => {
        throw new Error("oops");
      }),
    ),
  ),
  lineTooLong: plain(`NOOP ${"x".repeat(600)}`),
  badLineEnd: plain("NOOP\n"),
  badOctets: plain("NOOP \u0000"),
  unknownCommand: plain("XFOO"),
  needsArgument: plain("VRFY"),
  noArgument: plain("RSET now"),
  badGreeting: plain("EHLO"),
  badMail: ready("MAIL TO:<x@example.com>"),
  badRcpt: mail("RCPT FROM:<x@example.com>"),
  badReversePath: ready("MAIL FROM:<x"),
  badForwardPath: mail("RCPT TO:<>"),
  badParameter: ready("MAIL FROM:<> SIZE=x"),
  repeatedParameter: ready("MAIL FROM:<> SIZE=1 SIZE=1"),
  unknownParameter: ready("MAIL FROM:<> XFOO=1"),
  notImplemented: plain("EXPN staff"),
  cannotVerify: plain("VRFY joe"),
  badSequence: ready("DATA"),
  greetFirst: plain("MAIL FROM:<>"),
  nestedMail: mail("MAIL FROM:<>"),
  noValidRecipients: mail("DATA"),
  mustEndGroup: say({ plugins: [sink(), upgrading()] }, "EHLO client.test", "XUPGRADE", "NOOP"),
  senderOk: mail(),
  recipientOk: rcpt(sink()),
  startBody: mail("RCPT TO:<joe@example.com>", "DATA"),
  needsSmtputf8Sender: ready("MAIL FROM:<j\u00c3\u00bcrgen@example.com>"),
  needsSmtputf8Recipient: mail("RCPT TO:<j\u00c3\u00bcrgen@example.com>"),
  relayDenied: rcpt(sink({ everything: false })),
  unknownRecipient: rcpt(sink({ everything: false }), route()),
  twoRoutes: rcpt(sink({ everything: false }), route({ transport: "sink" }, { transport: "other" })),
  nextTransaction: say(
    {
      plugins: [
        judge((host) => {
          host.extend({ transports: [{ kind: "local", phases: "one" }] });
          host.hooks.rcpt.tap("judge", (recipient) => {
            recipient.permit("local");
            recipient.routeTo({ transport: "judge", nexthop: recipient.address.localPart });
          });
        }),
      ],
    },
    ...opened,
    "RCPT TO:<joe@example.com>",
    "RCPT TO:<jack@example.com>",
  ),
  tooManyRecipients: say(
    { limits: { recipients: 1 } },
    ...opened,
    "RCPT TO:<joe@example.com>",
    "RCPT TO:<jack@example.com>",
  ),
  tooManyTransactions: say({ limits: { transactions: 1 } }, ...opened, "RSET", "MAIL FROM:<>"),
  tooBig: ready(`MAIL FROM:<> SIZE=${defaultLimits.messageOctets + 1}`),
  headerTooBig: body({}, ...Array.from({ length: 300 }, () => `A: ${"x".repeat(1000)}`)),
  bareLineEnd: body({}, "a\nb"),
  tooManyHops: body({}, ...Array.from({ length: 101 }, () => "Received: x")),
  noStorage: body({ plugins: [full, route({ transport: "full" })] }, "text"),
  unstaged: body({ plugins: [silent, route({ transport: "silent" })] }, "text"),
  authenticated: auth(`AUTH XWORD ${base64("jane open")}`),
  badCredentials: auth(`AUTH XWORD ${base64("jane shut")}`),
  authCancelled: auth("AUTH XWORD", "*"),
  badBase64: auth("AUTH XWORD ???"),
  unknownMechanism: auth("AUTH XFOO"),
  alreadyAuthenticated: auth(`AUTH XWORD ${base64("jane open")}`, "AUTH XWORD"),
  authNeedsTls: auth("AUTH XSECRET"),
  authLineTooLong: auth("AUTH XWORD", "A".repeat(13_000)),
  tooManyGuesses: auth(...Array.from({ length: 3 }, () => `AUTH XWORD ${base64("jane shut")}`)),
};

test.each(Object.entries(provocations))("%s", async (name, provoke) => {
  const { code, text, ...rest } = replies[name as keyof typeof replies];
  const status = "status" in rest ? `${rest.status} ` : "";
  expect(await provoke()).toContain(`${code} ${status}${text}`);
});
