import { type Opinion, type Plugin, defer, definePlugin } from "@mailhost/core";
import type { Finding } from "../contract/report.ts";
import { type TransportCheck, accepted, durable, invisible, isNotThere, isThere, sameFiles } from "./check.ts";
import { type Marked, type Station, marked } from "./station.ts";

/** Somebody else's judge on the transport, asked when its owner has staged. */
const judge = (transport: string, ask: () => Promise<Opinion>): Plugin =>
  definePlugin({
    name: "contract-judge",
    version: "1.0.0",
    core: "*",
    apply: (host) => host.hooks.queue.for(transport).tapPromise({ name: "contract-judge", stage: "last" }, ask),
  })();

/** The transport's name. Rejects when there is none. */
async function transportOf(station: Station): Promise<string> {
  const ground = await station.ground();
  const [transport] = ground.probe.words.transports;
  if (transport === undefined)
    throw new Error("the plugin declares no transport: host.extend({ transports: [{ kind, phases }] })");
  return transport;
}

export const acceptedMessage: TransportCheck = {
  name: "accepted message",
  mend: "Tell the contract who permits and routes to the transport (companions), to whom (to), and what a reader sees (visible).",
  async run(station) {
    await transportOf(station);
    const ground = await station.ground();
    const message = marked();
    const reply = await station.send(ground, message);
    if (!reply.startsWith("250")) return accepted(reply, "the message", acceptedMessage.mend);
    return isThere(station, message, "the message");
  },
};

/** Bodies that must come out as they went in, one character per octet. */
const bodies: Readonly<Record<string, string>> = {
  "dots at the start of lines": ".\r\n..\r\n...x\r\n.\r\n",
  "octets that are no text": "\x80\xff\xc3\x28\x01\x7f\r\n",
  "a line of 5000 octets": `${"x".repeat(5000)}\r\n`,
  "lines like those of an mbox": "From here on\r\n>From there\r\n",
  "half a megabyte": `${"y".repeat(70)}\r\n`.repeat(7300),
};

export const content: TransportCheck = {
  name: "content",
  mend: "Content is octets: write what message.open() gives, undecoded. At most the line ends become those of the store.",
  async run(station) {
    const ground = await station.ground();
    const findings: Finding[] = [];
    for (const [what, body] of Object.entries(bodies)) {
      const message = marked(body);
      const reply = await station.send(ground, message);
      if (!reply.startsWith("250")) findings.push(...accepted(reply, what, content.mend));
      else if ((await station.found(message)).torn > 0)
        findings.push({ what: `${what} did not come out as sent`, mend: content.mend });
    }
    return findings;
  },
};

export const beforeCommit: TransportCheck = {
  name: "before the commit",
  mend: invisible,
  async run(station) {
    const message = marked();
    const findings: Finding[] = [];
    const look = async (): Promise<undefined> => {
      findings.push(...(await isNotThere(station, message, "a message that was staged and not committed")));
    };
    const ground = await station.ground({ more: [judge(await transportOf(station), look)] });
    findings.push(...accepted(await station.send(ground, message), "the message"));
    return [...findings, ...(await isThere(station, message, "the message"))];
  },
};

export const abort: TransportCheck = {
  name: "abort",
  mend: invisible,
  async run(station) {
    let refuses = true;
    const ask = async (): Promise<Opinion> => (refuses ? defer("Not now") : undefined);
    const ground = await station.ground({ more: [judge(await transportOf(station), ask)] });
    const [first, refused, second] = [marked(), marked(), marked()];
    refuses = false;
    const findings = [...accepted(await station.send(ground, first), "the first message")];
    const before = await station.files();
    refuses = true;
    const reply = await station.send(ground, refused);
    if (!reply.startsWith("451"))
      findings.push({ what: `a message somebody else deferred is answered: ${reply}`, mend: durable });
    findings.push(...(await isNotThere(station, refused, "a message that was refused")));
    findings.push(...(await sameFiles(station, before, "a message that was refused")));
    refuses = false;
    findings.push(...accepted(await station.send(ground, second), "the message behind a refused one"));
    return [...findings, ...(await isThere(station, second, "the message behind a refused one"))];
  },
};

export const dryRun: TransportCheck = {
  name: "dry run",
  mend: `mailhost try stages and aborts. ${invisible}`,
  async run(station) {
    const ground = await station.ground();
    const message = marked();
    const before = await station.files();
    // As `mailhost try` does it
    const speaker = ground.dryRun();
    await speaker.reply();
    await ground.greet(speaker);
    const reply = await speaker.deliver({ from: ground.from, to: station.recipients, text: message.text });
    ground.leave(speaker);
    return [
      ...accepted(reply.join(" | "), "a dry run"),
      ...(await isNotThere(station, message, "the message of a dry run")),
      ...(await sameFiles(station, before, "a dry run")),
    ];
  },
};

export const tooLate: TransportCheck = {
  name: "too late",
  mend: `What is staged behind the deadline is aborted. ${invisible}`,
  async run(station) {
    const ground = await station.ground();
    const before = await station.files();
    const message = marked();
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    let holds = true;
    ground.expectsLate = true;
    ground.pushes = false;
    let sync = true;
    ground.probe.hold = (call) => {
      if (call.hook !== "queue" || !holds) return undefined;
      sync = false;
      setImmediate(() => ground.clock.advance(ground.deadlineOf(call)));
      return gate;
    };
    const reply = await station.send(ground, message);
    holds = false;
    release();
    await ground.quiet();
    if (sync) return []; // a tap that does not wait cannot be late
    const findings: Finding[] = reply.startsWith("4")
      ? []
      : [{ what: `a delivery beyond its deadline is answered: ${reply}`, mend: durable }];
    findings.push(...(await goneSoon(station, message, before, "a message that was staged too late")));
    const next = marked();
    findings.push(...accepted(await station.send(ground, next), "the message behind a late one"));
    return [...findings, ...(await isThere(station, next, "the message behind a late one"))];
  },
};

/** Nobody waits for the abort of what came too late: it has a second. */
async function goneSoon(station: Station, message: Marked, before: readonly string[], what: string) {
  let left: readonly Finding[] = [];
  for (let wait = 0; wait < 100; wait += 1) {
    left = [...(await isNotThere(station, message, what)), ...(await sameFiles(station, before, what))];
    if (left.length === 0) break;
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
  return left;
}

const atOnce = 20;

export const severalAtOnce: TransportCheck = {
  name: "several at once",
  mend: "Names of files are one's own for each message (time, counter, process), and so is everything a delivery holds.",
  async run(station) {
    const ground = await station.ground();
    const messages = Array.from({ length: atOnce }, (_, index) => marked(`${"z".repeat(index * 100)}\r\n`));
    const replies = await Promise.all(messages.map((message) => station.send(ground, message)));
    const findings: Finding[] = [];
    for (const [index, message] of messages.entries()) {
      const what = `one of ${atOnce} messages at once`;
      findings.push(...accepted(replies[index] ?? "", what, severalAtOnce.mend));
      findings.push(...(await isThere(station, message, what)));
    }
    return findings;
  },
};
