import { ConfigurationError } from "@mailhost/core";
import { type Check, unharmed } from "./check.ts";
import type { Ground } from "./ground.ts";
import { collectGarbage, collectUntil, nextTurn, watchResources } from "./process.ts";
import type { Finding } from "./report.ts";

const perGeneration =
  "apply runs once per listener and generation, and the old one closes after the new one opened: keep state inside apply, and what must outlive it in host.shared(key, open, close).";

const reloadCount = 12;
const speakersAtOnce = 6;

export const reloads: Check = {
  name: "reload under load",
  mend: perGeneration,
  async run(contract) {
    const ground = await contract.ground();
    ground.during = "reloading under load";
    const replies = await loadWhileReloading(ground);
    const bad = replies.find((reply) => !reply.startsWith("250"));
    const findings: Finding[] =
      bad === undefined
        ? []
        : [{ what: `while generations changed, the accepted message was answered: ${bad}`, mend: perGeneration }];
    findings.push(...unharmed(await ground.letter(), `${reloadCount} reloads`, perGeneration));
    findings.push(...(await oldGenerations(ground)));
    return findings;
  },
};

/** Sessions come and go while the configuration is put in force anew, again and again. */
async function loadWhileReloading(ground: Ground): Promise<string[]> {
  const replies: string[] = [];
  const configuration = { changes: true };
  const speak = async (): Promise<void> => {
    while (configuration.changes) {
      replies.push(await ground.letter());
      await nextTurn();
    }
  };
  const load = Array.from({ length: speakersAtOnce }, speak);
  // A reload that fails ends the load too
  const reloaded = (async () => {
    try {
      for (let count = 0; count < reloadCount; count += 1) {
        await ground.reload();
        for (let turn = 0; turn < 5; turn += 1) await nextTurn();
      }
    } finally {
      configuration.changes = false;
    }
  })();
  await Promise.all([...load, reloaded]);
  return replies;
}

/** Generations nobody speaks with any more are closed, and nobody holds them. */
async function oldGenerations(ground: Ground): Promise<Finding[]> {
  const { probe, server } = ground;
  const perApply = probe.closersAsked / probe.applied.length;
  const current = server.generations.length;
  const closed = (): boolean => probe.closersAsked - probe.closersDone <= perApply * current;
  for (let wait = 0; wait < 200 && !closed(); wait += 1) await new Promise((resolve) => void setTimeout(resolve, 10));
  if (!closed())
    return [
      {
        what: "what it gave to onClose did not end within two seconds",
        mend: "Close at once, and wait for nothing that may not come.",
      },
    ];
  await collectGarbage();
  const alive = (): number => probe.applied.filter((one) => one.deref() !== undefined).length;
  const few = (): boolean => alive() <= current + 1;
  await collectUntil(few);
  if (few()) return [];
  return [
    {
      what: `${alive() - current} of ${probe.applied.length - current} old generations are still held`,
      mend: perGeneration,
    },
  ];
}

export const twice: Check = {
  name: "twice",
  mend: "It may stand twice under two names: keep state inside apply, and name transports and logs by host.name.",
  async run(contract) {
    const { name } = await contract.plugin();
    let ground: Ground;
    try {
      ground = await contract.ground({ names: [name, `${name}-2`] });
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      // Words of the language have one owner: that is no fault of a plugin's
      const others = error.problems.filter(
        ({ code, what }) => code !== "TWO_OWNERS" || /provides? transport/.test(what),
      );
      return others.map(({ what, mend }) => ({
        what: `with itself as ${name}-2: ${what}`,
        mend: /provides? transport/.test(what)
          ? "Leave the transport's name out, and tap queue.for(host.name)."
          : `${twice.mend} ${mend}`,
      }));
    }
    ground.during = `standing as ${name} and as ${name}-2`;
    await ground.letter();
    // The second is as good as the first, also when the first is gone
    await ground.reload();
    await ground.letter();
    return [];
  },
};

export const twoListeners: Check = {
  name: "two listeners",
  mend: perGeneration,
  async run(contract) {
    const ground = await contract.ground({ listeners: ["one", "two"] });
    const findings: Finding[] = [];
    for (const listener of ["one", "two", "one"]) {
      ground.during = `on listener ${listener} of two`;
      findings.push(
        ...unharmed(await ground.letter({ listener }), `standing on two listeners, on ${listener},`, perGeneration),
      );
    }
    return findings;
  },
};

const closing = "Stop it in host.onClose, or in the third argument of host.shared.";

export const close: Check = {
  name: "close",
  mend: closing,
  async run(contract) {
    const resources = watchResources();
    try {
      const ground = await contract.ground();
      for (let count = 0; count < 3; count += 1) await ground.letter();
      await ground.reload();
      await ground.letter();
      await ground.close();
      let left = resources.left();
      for (let wait = 0; wait < 100 && left.length > 0; wait += 1) {
        await new Promise((resolve) => void setTimeout(resolve, 10));
        left = resources.left();
      }
      const findings = [...new Set(left)].map((what) => ({
        what: `${what} is left when the server has closed`,
        mend: closing,
      }));
      if (ground.clock.waiting > 0)
        findings.push({
          what: `${ground.clock.waiting} timers of host.clock wait when the server has closed`,
          mend: closing,
        });
      return findings;
    } finally {
      resources.stop();
    }
  },
};
