import { type Extension, type Host, type Staged, nobody, reject, row } from "@mailhost/core";
import { sink } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { hold, open, plugin, recorder } from "../support/dialogue.ts";
import { type Wrong, deliver, fail, heard, rubbish, untaken, ways } from "../support/wrong.ts";

// Every function a plugin hands to core but its taps, and every way of going wrong: what the client hears, the plugin's
// name in the log, and no rejection that nobody took. The taps are in core/test/session/faults.test.ts.

/** A function, how it comes to be called, and what its failing client hears behind the words before. */
interface Place {
  readonly give: (host: Host, wrong: Wrong) => void;
  /** Lines the client says, each when the one before is answered. */
  readonly say: readonly string[];
  /** The last line it hears. */
  readonly hears: string | RegExp;
  /** What is no mistake there. */
  readonly sound?: string;
}

const temporary = "451 4.3.0 Temporary local problem";
const more = { code: 334, text: "More" };
const value = (argument: string) => ({ value: argument });
const extended =
  (extension: (wrong: Wrong) => Extension): Place["give"] =>
  (host, wrong) => {
    host.hooks.auth.tap("own", (sent) => sent.identify({ name: "joe" }));
    host.extend(extension(wrong));
  };
const running = (run: (wrong: Wrong) => unknown): Place["give"] =>
  extended((wrong) => ({
    verbs: { XVERB: { last: true, octets: 512, phases: ["ready"], run: () => rubbish(run(wrong)) } },
  }));
const ready = ["EHLO client.test"];

const places: Record<string, Place> = {
  "a gate": {
    give: extended((wrong) => ({ gate: (word) => (word === "HELP" ? wrong() : undefined) })),
    say: [...ready, "HELP"],
    hears: temporary,
  },
  "a keyword": {
    give: extended((wrong) => ({ keywords: { XWRONG: wrong } })),
    say: ready,
    hears: /^250[ -](?!XWRONG)/,
  },
  "a parameter of MAIL": {
    give: extended((wrong) => ({ mailParameters: { XWRONG: { octets: 10, problem: wrong } } })),
    say: [...ready, "MAIL FROM:<> XWRONG=1"],
    hears: temporary,
  },
  "a parameter of RCPT": {
    give: extended((wrong) => ({ rcptParameters: { XWRONG: { octets: 10, problem: wrong } } })),
    say: [...ready, "MAIL FROM:<>", "RCPT TO:<joe@example.com> XWRONG=1"],
    hears: temporary,
  },
  "whether a mechanism is offered": {
    give: extended((wrong) => ({ mechanisms: [{ name: "XWRONG", offered: wrong, start: wrong }] })),
    say: [...ready, "AUTH XWRONG"],
    hears: /^538 /,
  },
  "the start of a mechanism": {
    give: extended((wrong) => ({ mechanisms: [{ name: "XWRONG", start: wrong }] })),
    say: [...ready, "AUTH XWRONG"],
    hears: temporary,
  },
  "the next step of a mechanism": {
    give: extended((wrong) => ({
      mechanisms: [{ name: "XWRONG", start: () => ({ challenge: new Uint8Array(), next: wrong }) }],
    })),
    say: [...ready, "AUTH XWRONG", "AAAA"],
    hears: temporary,
  },
  "the credentials of a mechanism": {
    give: extended((wrong) => ({ mechanisms: [{ name: "XWRONG", start: () => ({ credentials: wrong() }) }] })),
    say: [...ready, "AUTH XWRONG"],
    hears: temporary,
  },
  "the syntax of a verb": {
    give: extended((wrong) => ({ verbs: { XVERB: row(["ready"], wrong, nobody, fail) } })),
    say: [...ready, "XVERB"],
    hears: temporary,
  },
  "the judge of a verb": {
    give: extended((wrong) => ({ verbs: { XVERB: row(["ready"], value, wrong, fail) } })),
    say: [...ready, "XVERB"],
    hears: temporary,
  },
  "what a verb changes": {
    give: extended((wrong) => ({
      verbs: { XVERB: row(["ready"], value, nobody, wrong) },
    })),
    say: [...ready, "XVERB"],
    hears: temporary,
  },
  "a verb": { give: running((wrong) => wrong()), say: [...ready, "XVERB"], hears: temporary },
  "the state behind a verb": {
    give: running((wrong) => ({ go: "on", reply: more, state: wrong() })),
    say: [...ready, "XVERB"],
    hears: temporary,
  },
  "the length of a line": {
    give: running((wrong) => ({ go: "line", reply: more, tooLong: more, octets: wrong(), resume: fail })),
    say: [...ready, "XVERB"],
    hears: temporary,
  },
  "the client a verb assumes": {
    give: running((wrong) => ({ go: "assume", client: wrong() })),
    sound: "gives an empty object", // the client it was
    say: [...ready, "XVERB"],
    hears: temporary,
  },
  "what a verb makes of a line": {
    give: running((wrong) => ({ go: "line", reply: more, tooLong: more, octets: 80, resume: wrong })),
    say: [...ready, "XVERB", "line"],
    hears: temporary,
  },
  "what a verb makes of an identity": {
    give: running((wrong) => ({ go: "credentials", credentials: { kind: "proven", username: "joe" }, resume: wrong })),
    say: [...ready, "XVERB"],
    hears: temporary,
  },
};

describe.each(Object.entries(places))("%s", (_place, { give, say, hears, sound }) => {
  test.each(ways.filter(([way]) => way !== sound))("that %s harms its client alone", async (_way, wrong) => {
    const rejections = untaken();
    const log = recorder();
    const own = plugin("own", (host) => give(host, wrong));
    const box = sink();
    const held = await open({ plugins: [box, own], log, timeouts: { tap: 30 } });
    await heard(held);
    let last = "";
    for (const line of say) {
      held.say(line);
      last = await heard(held);
    }
    expect(last).toMatch(hears);
    held.say("NOOP");
    expect(await heard(held)).toBe("250 2.0.0 Ok");
    expect(log.lines.join()).toContain("plugin own failed in ");
    expect(await deliver(hold(held.server))).toMatch(/^250 2\.0\.0 Ok: queued/);
    expect(await rejections()).toEqual([]);
  });
});

// What is called beside the dialogue, or behind it. What such a function gives counts for nothing, but a commit's; what
// never answers is waited for: a commit until the drain's deadline, the others as their own tests say.
interface Beside extends Pick<Place, "give"> {
  /** What the first message is answered with; 250 otherwise. Then the plugin is the way out as well. */
  readonly hears?: string;
}
const beside: Record<string, Beside> = {
  "a watcher": { give: (host, wrong) => host.hooks.trace.tap("own", wrong) },
  "one that counts faults": { give: (host, wrong) => host.onFault(wrong) },
  "one that counts ends": { give: (host, wrong) => host.onSessionEnd(wrong) },
  "one that closes": { give: (host, wrong) => host.onClose(wrong) },
  "one that closes what is shared": { give: (host, wrong) => void host.shared("own", () => 7, wrong) },
  "a commit": { give: staging((wrong) => ({ commit: wrong, abort: () => {} })), hears: "451 4.3.0 " },
  "an abort": { give: staging((wrong) => ({ commit: () => {}, abort: wrong })), hears: "550 5.7.1 " },
};
const telling = new Set([
  "throws",
  "rejects",
  "gives what throws when asked for its then",
  "throws what cannot be told",
]);

function staging(staged: (wrong: Wrong) => Staged): (host: Host, wrong: Wrong) => void {
  return (host, wrong) => {
    const sound: Staged = { commit: () => {}, abort: () => {} };
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.rcpt.tap({ name: "own", stage: "first" }, (recipient) => {
      recipient.permit("local");
      recipient.routeTo({ transport: "own" });
    });
    host.hooks.queue.for("own").tap("own", (delivery) => {
      const first = delivery.recipients[0]?.address.localPart === "first";
      delivery.stage(first ? staged(wrong) : sound);
      return first && staged(wrong).abort === wrong ? reject() : undefined;
    });
  };
}

describe.each(Object.entries(beside))("%s", (_place, { give, hears }) => {
  test.each(ways.filter(([way]) => way !== "never answers"))("that %s harms nobody else", async (way, wrong) => {
    const rejections = untaken();
    const log = recorder();
    const own = plugin("own", (host) => give(host, wrong));
    const held = await open({ plugins: hears === undefined ? [sink(), own] : [own], log });
    const { server } = held;
    await heard(held);
    held.say("XYZZY");
    expect(await heard(held)).toMatch(/^500 /);
    held.engine.gone("disconnected");
    expect(await deliver(hold(server), "first")).toContain(hears ?? "250 2.0.0 ");
    expect(await deliver(hold(server), "second")).toMatch(/^250 2\.0\.0 Ok: queued/);
    await server.close();
    expect(await rejections()).toEqual([]);
    if (telling.has(way)) expect(log.lines.join()).toContain("plugin own failed ");
  });
});
