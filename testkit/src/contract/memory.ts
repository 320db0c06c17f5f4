import { type Check, unharmed } from "./check.ts";
import type { Ground } from "./ground.ts";
import { collect, collectGarbage, collectUntil, memoryOctets, nextTurn } from "./process.ts";
import type { Finding } from "./report.ts";

const large = 20 * 1024 * 1024;

/** Copies of a message a tap may hold at once; `bytes()` alone takes two for a moment. */
const mostCopies = 3.5;

const line = `${"All work and no play makes Jack a dull boy. ".repeat(2).slice(0, 76)}\r\n`;

const stream =
  "Read message.open() piece by piece: memory is paid for every message under way. message.bytes() is for small ones.";

export const largeMessage: Check = {
  name: "20 MB message",
  mend: stream,
  async run(contract) {
    const ground = await contract.ground();
    const body = Buffer.from(`Subject: large\r\n\r\n${line.repeat(Math.floor(large / line.length))}.\r\n`);
    ground.during = "a message of 20 MB";
    const speaker = await ground.greeted({ patience: 15_000 });
    for (const command of [`MAIL FROM:<${contract.from}>`, `RCPT TO:<${contract.to}>`, "DATA"])
      await speaker.ask(command);
    const watch = watchMemory(ground);
    await speaker.pour(body);
    await speaker.reply();
    const peak = await watch.stop();
    const findings: Finding[] = [];
    if (peak > mostCopies * large)
      findings.push({
        what: `during a message of 20 MB its taps held ${Math.round(peak / 1024 ** 2)} MB at once`,
        mend: stream,
      });
    ground.leave(speaker);
    return [...findings, ...unharmed(await ground.letter(), "a message of 20 MB", stream)];
  },
};

/** How much more is in use while taps of the plugin look at a message. */
function watchMemory({ probe }: Ground): { stop(): Promise<number> } {
  let peak = 0;
  let base: number | undefined;
  const watch = { on: true };
  const look = (): void => {
    const most = mostCopies * large;
    // Once it was too much that is enough to know
    if (base === undefined || peak > most || memoryOctets() - base <= most) return;
    collect(); // what is garbage does not count
    peak = Math.max(peak, memoryOctets() - base);
  };
  probe.onTap = ({ hook }) => {
    if (hook !== "data" && hook !== "queue") return;
    if (base === undefined) {
      collect();
      base = memoryOctets();
    }
    look();
  };
  const looking = (async () => {
    while (watch.on) {
      if (probe.pending.size > 0) look();
      await nextTurn();
    }
  })();
  return {
    async stop() {
      watch.on = false;
      await looking;
      probe.onTap = undefined;
      return peak;
    },
  };
}

/** Of those that are known, and as many of strangers. */
const sessionCount = 120;
const sessionsAtOnce = 6;

/** Octets a session may leave behind on average, and a stranger's with it: an entry of a cache that has an end. */
const perSession = 6 * 1024;

const mostRounds = 5;

const forget = "Keep nothing by session or message for good: defineFact and WeakMap let go of it, caches need an end.";

export const memory: Check = {
  name: "memory",
  mend: forget,
  longer: 3,
  async run(contract) {
    const ground = await contract.ground();
    await converse(ground);
    const findings: Finding[] = [];
    const held = (): number => [...ground.probe.sessions].filter((session) => session.deref() !== undefined).length;
    const few = (): boolean => held() <= sessionCount / 10;
    await collectUntil(few);
    if (!few())
      findings.push({
        what: `${held()} of ${ground.probe.sessions.size} sessions are still held when they are over`,
        mend: forget,
      });
    ground.probe.sessions.clear(); // what is noted of them would count
    const began = memoryOctets();
    let grown = Infinity;
    // Code gets warm and caches fill: what leaks does so every time
    for (let round = 0; round < mostRounds && grown > perSession; round += 1) {
      const before = memoryOctets();
      await converse(ground);
      grown = Math.min(grown, (memoryOctets() - before) / sessionCount);
    }
    if (grown > perSession) {
      const inAll = (): number => (memoryOctets() - began) / (mostRounds * sessionCount);
      await collectUntil(() => inAll() <= perSession);
      grown = Math.min(grown, inAll());
    }
    if (grown > perSession)
      findings.push({ what: `each session leaves ${Math.round(grown / 1024)} KiB behind`, mend: forget });
    return findings;
  },
};

/** Many sessions, and nothing of them left but what the plugin keeps. */
async function converse(ground: Ground): Promise<void> {
  const speak = async (): Promise<void> => {
    for (let count = 0; count < sessionCount / sessionsAtOnce; count += 1) {
      await ground.letter();
      await ground.stranger();
    }
  };
  await Promise.all(Array.from({ length: sessionsAtOnce }, speak));
  ground.emptySinks();
  ground.resolver.queries.length = 0;
  await collectGarbage();
}
