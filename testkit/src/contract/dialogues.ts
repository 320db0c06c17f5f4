import { type Transaction, defer, definePlugin, reject } from "@mailhost/core";
import { type Check, unharmed } from "./check.ts";
import type { Finding } from "./report.ts";

/** For checks whose next session is not as it was. */
export const nextSession =
  "What one session leaves behind must not reach the next: keep nothing of it outside of its taps.";

export const acceptedMessage: Check = {
  name: "accepted message",
  mend: "The plugin fails on the simplest message there is.",
  async run(contract) {
    const ground = await contract.ground();
    const reply = await ground.letter();
    if (reply.startsWith("250")) return [];
    const what = `the message from ${contract.from} to ${contract.to} is answered: ${reply}`;
    return [
      {
        what,
        mend: "Tell the contract what is accepted here: from, to, client, greet (STARTTLS, AUTH), prepare (a first attempt), companions (who permits, who routes), listener.",
      },
    ];
  },
};

const takeReports =
  'Refuse nothing for its null reverse-path (RFC 5321 §4.5.5, §6.1): reports are lost, and servers that check your senders are refused. Where it is meant, skip this check: { "null reverse-path": "the reason" }.';

/** The server asked for the message. */
const saidOpen = (lines: readonly string[]): boolean => lines.some((line) => line.startsWith("354"));

export const nullReversePath: Check = {
  name: "null reverse-path",
  mend: "transaction.reversePath is null for <>, the sender of every report (RFC 5321 §4.5.5): look before you read it.",
  async run(contract) {
    const ground = await contract.ground();
    const before = await ground.letter();
    ground.during = "MAIL FROM:<>";
    const speaker = await ground.greeted();
    const reply = await speaker.deliver({ from: "", to: contract.to });
    // To defer it behind DATA is fair: who only asks whether an address exists never gets there
    const refused = /^[45]/.test(reply[0] ?? "") && !(reply[0]?.startsWith("4") === true && saidOpen(speaker.lines));
    ground.leave(speaker);
    ground.during = "";
    const after = await ground.letter();
    const findings = unharmed(after, "a message from <>", nextSession);
    // A tap that failed is told by core
    if (!refused || !before.startsWith("250") || findings.length + ground.faults().length > 0) return findings;
    const what = `a message from <> to ${contract.to} is answered: ${reply.join(" | ")}, one from ${contract.from} is taken`;
    return [{ what, mend: takeReports }];
  },
};

const storms = 30;

export const rsetStorm: Check = {
  name: "RSET storm",
  mend: "A transaction may end at any time and another begin: RSET, EHLO, QUIT. Keep what belongs to it in defineFact or a WeakMap by transaction.",
  async run(contract) {
    const ground = await contract.ground();
    const { from, to } = contract;
    const speaker = await ground.greeted();
    const before = speaker.lines.length;
    ground.during = `${storms} times MAIL, RCPT, RSET in one write`;
    speaker.send(`MAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nRSET\r\n`.repeat(storms).slice(0, -2));
    const answered = await speaker.heard(before + 3 * storms);
    const findings: Finding[] = answered
      ? []
      : [
          {
            what: `${3 * storms} commands got ${speaker.lines.length - before} replies`,
            mend: "Every tap must settle.",
          },
        ];
    ground.leave(speaker);
    ground.during = "";
    return [...findings, ...unharmed(await ground.letter(), "an RSET storm", rsetStorm.mend)];
  },
};

const recipients = 100;
const refusals = [reject("Not this one", { status: "5.1.1" }), defer("Not now", { code: 450, status: "4.2.1" })];

/** Somebody else's opinion: every second recipient is refused, for good or for now. */
const splitter = definePlugin({
  name: "contract-splitter",
  version: "1.0.0",
  core: "*",
  apply(host) {
    const counts = new WeakMap<Transaction, number>();
    host.hooks.rcpt.tap({ name: "contract-splitter", stage: "last" }, (_recipient, transaction) => {
      const count = (counts.get(transaction) ?? -1) + 1;
      counts.set(transaction, count);
      return count % 2 === 0 ? undefined : refusals[(count >> 1) % 2];
    });
  },
});

export const manyRecipients: Check = {
  name: "100 recipients",
  mend: "A transaction has many recipients, and some are refused by others: judge each by itself, deliver to those in delivery.recipients only.",
  async run(contract) {
    const { from, to, options } = contract;
    const ground = await contract.ground({ more: [splitter()] });
    const speaker = await ground.greeted();
    const { refused = [] } = options;
    const asked = Array.from(
      { length: recipients },
      (_, index) => (index % 10 === 4 ? refused[Math.floor(index / 10) % refused.length] : undefined) ?? to,
    );
    ground.during = `${recipients} recipients in one write`;
    speaker.send([`MAIL FROM:<${from}>`, ...asked.map((one) => `RCPT TO:<${one}>`), "DATA"].join("\r\n"));
    const replies: string[] = [];
    for (let count = 0; count < recipients + 2; count += 1) replies.push((await speaker.reply()).join(" | "));
    const findings = asked.flatMap((one, index): Finding[] => {
      const reply = replies[index + 1] ?? "";
      if (!refused.includes(one) || /^[45]/.test(reply)) return [];
      return [{ what: `RCPT TO:<${one}>, which is to be refused, is answered: ${reply}`, mend: manyRecipients.mend }];
    });
    const stored = replies.at(-1)?.startsWith("354") === true ? await speaker.ask("Subject: x\r\n\r\nHello\r\n.") : [];
    if (stored[0]?.startsWith("250") !== true)
      findings.push({
        what: `a message to those of 100 that were taken is answered: ${stored[0] ?? replies.at(-1)}`,
        mend: manyRecipients.mend,
      });
    ground.leave(speaker);
    return findings;
  },
};
