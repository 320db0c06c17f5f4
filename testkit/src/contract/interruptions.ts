import type { HookName } from "@mailhost/core";
import type { Client } from "../client.ts";
import { TestResolver } from "../resolver.ts";
import { type Check, unharmed } from "./check.ts";
import type { Contract } from "./about.ts";
import type { Ground } from "./ground.ts";
import type { TapCall, WatchedTap } from "./probe.ts";
import { nextTurn } from "./process.ts";
import type { Finding } from "./report.ts";

const listen =
  "Async taps get a signal as their last argument. Hand it on (fetch, timers, streams) or stop when it aborts; a tap that does not holds what it holds for every client that leaves.";

const slow = (hook: HookName): boolean => hook === "data" || hook === "queue";

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Which taps a plugin has, on a ground of its own. */
async function tapsOf(contract: Contract): Promise<readonly WatchedTap[]> {
  const ground = await contract.ground();
  await ground.letter();
  return ground.probe.taps;
}

/** The accepted message, said to somebody who may stop listening at any time. */
async function attempt(contract: Contract, ground: Ground, speaker: Client): Promise<string | undefined> {
  const { from, to } = contract;
  try {
    await speaker.reply();
    await ground.greet(speaker);
    return (await speaker.deliver({ from, to })).join(" | ");
  } catch {
    return undefined; // gone, or told to go
  }
}

export const disconnects: Check = {
  name: "disconnect",
  mend: "Clients leave whenever they like; nothing may fail by it.",
  async run(contract) {
    const findings: Finding[] = [];
    for (const hook of distinct((await tapsOf(contract)).map((tap) => tap.hook))) {
      const ground = await contract.ground();
      ground.during = `the client leaves during ${hook}`;
      findings.push(...(await leaveDuring(contract, ground, hook)));
    }
    const ground = await contract.ground();
    for (const half of ["Subject: ha", "Subject: half\r\n\r\nof a mess", "Subject: all\r\n\r\nbut the dot\r\n."]) {
      const speaker = await ground.greeted();
      for (const line of [`MAIL FROM:<${contract.from}>`, `RCPT TO:<${contract.to}>`, "DATA"]) await speaker.ask(line);
      speaker.send(Buffer.from(half));
      ground.leave(speaker);
    }
    return [...findings, ...unharmed(await ground.letter(), "clients that left amid a message", disconnects.mend)];
  },
};

/** Hangs up as soon as a tap of that hook is under way. */
async function leaveDuring(contract: Contract, ground: Ground, hook: HookName): Promise<Finding[]> {
  // Nobody is told of a disconnect behind the end of data: there the clock goes on
  ground.pushes = slow(hook);
  let speaker: Client | undefined;
  let met: TapCall | undefined;
  ground.probe.onTap = (call) => {
    if (call.hook !== hook || met !== undefined) return;
    met = call;
    speaker?.hangUp();
  };
  speaker = ground.client();
  if (met === undefined) await Promise.race([attempt(contract, ground, speaker), leftAndOver(ground, speaker)]);
  ground.leave(speaker);
  ground.probe.onTap = undefined;
  const settled = await ground.quiet();
  const findings: Finding[] = [];
  if (!settled) {
    const [call] = ground.probe.pending;
    const what = `the client left during ${hook}, and the tap ${call?.tap ?? ""} did not settle within two seconds of its signal`;
    findings.push({ what, mend: listen });
    ground.expectsLate = true;
    if (call !== undefined) ground.clock.advance(ground.deadlineOf(call));
  }
  ground.pushes = true;
  if (met === undefined && hook !== "queue")
    findings.push({
      what: `its taps of ${hook} were never asked`,
      mend: `Let greet say what leads there (AUTH, with a mechanism among the companions), or leave this check out.`,
    });
  return [...findings, ...unharmed(await ground.letter(), `a disconnect during ${hook}`, disconnects.mend)];
}

async function leftAndOver(ground: Ground, speaker: Client): Promise<void> {
  while (!speaker.wire.left) await nextTurn();
  await ground.quiet();
}

export const deadlines: Check = {
  name: "deadline",
  mend: "Behind its deadline a tap's handles are dead and its answer counts no more: it must end quietly.",
  async run(contract) {
    const taps = (await tapsOf(contract)).filter(({ kind }) => kind !== "sync");
    const findings: Finding[] = [];
    for (const hook of distinct(taps.map((tap) => tap.hook))) findings.push(...(await holdBeyond(contract, hook)));
    return findings;
  },
};

/** Holds what taps of that hook answer until their deadline has passed. */
async function holdBeyond(contract: Contract, hook: HookName): Promise<Finding[]> {
  const ground = await contract.ground();
  ground.during = `taps of ${hook} are held beyond their deadline`;
  ground.expectsLate = true;
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const held: TapCall[] = [];
  ground.probe.hold = (call) => {
    if (call.hook !== hook) return undefined;
    held.push(call);
    return gate;
  };
  const speaker = ground.client();
  await passDeadlines(ground, held, attempt(contract, ground, speaker));
  const findings: Finding[] = [];
  const ignored = ground.ignoresFailures(hook);
  if (held.length > 0 && !ignored && !speaker.lines.some((line) => line.startsWith("4")))
    findings.push({
      what: `taps of ${hook} did not answer in time, and the client was not told to come again: ${speaker.lines.at(-1)}`,
      mend: 'Leave onFailure at "defer" where the answer decides something.',
    });
  ground.leave(speaker);
  ground.probe.hold = undefined;
  release();
  if (!(await ground.quiet()))
    findings.push({ what: `a tap of ${hook} was under way two seconds after its deadline`, mend: listen });
  await nextTurn();
  return [...findings, ...unharmed(await ground.letter(), `${hook} came too late`, deadlines.mend)];
}

/** Moves the clock to the deadline of each tap that is held, until the dialogue is over. */
async function passDeadlines(ground: Ground, held: readonly TapCall[], talk: Promise<unknown>): Promise<void> {
  const dialogue = { over: false };
  let passed = 0;
  void talk.finally(() => (dialogue.over = true));
  while (!dialogue.over) {
    const call = held[passed];
    if (call !== undefined) {
      passed += 1;
      ground.clock.advance(ground.deadlineOf(call));
    }
    await nextTurn();
  }
}

export const dns: Check = {
  name: "DNS",
  mend: "DNS fails every day: catch what host.resolver rejects with, and decide what that means.",
  async run(contract) {
    const usual = await contract.ground();
    await usual.letter();
    const names = distinct(usual.resolver.queries.map(({ name }) => name));
    const findings: Finding[] = [];
    for (const failure of ["ENOTFOUND", "ESERVFAIL", "ETIMEOUT"] as const) {
      if (names.length === 0) return [];
      const resolver = new TestResolver();
      for (const name of names) resolver.fail(name, failure);
      const ground = await contract.ground({ resolver });
      ground.during = `DNS answers ${failure}`;
      await attempt(contract, ground, ground.client());
    }
    findings.push(...(await answeredTooLate(contract, names)));
    return findings;
  },
};

/** Longer than any tap may take: what resolvers do when nobody answers them. */
const dnsPatience = 600_000;

async function answeredTooLate(contract: Contract, names: readonly string[]): Promise<Finding[]> {
  const ground = await contract.ground();
  for (const name of names) ground.resolver.fail(name, "ETIMEOUT").delay(name, dnsPatience);
  ground.during = "DNS answers behind the deadline";
  ground.pushes = false;
  ground.expectsLate = true;
  const held: TapCall[] = [];
  ground.probe.onTap = (call) => {
    if (call.kind !== "sync") held.push(call);
  };
  await passDeadlines(ground, held, attempt(contract, ground, ground.client()));
  ground.clock.advance(dnsPatience);
  if (await ground.quiet()) return [];
  return [{ what: "DNS failed at last, and a tap was still under way", mend: listen }];
}
