import * as fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { long, seed, times } from "./form.ts";
import { type House, house, turn } from "./house.ts";
import { type Rules, type State, answer, start, utterances } from "./model.ts";
import { readReplies } from "./replies.ts";
import { asksForMore, openHouse, speech, strictHouse } from "./speech.ts";

// A flight is what the client may send without waiting: only TLS makes it wait for what follows (RFC 2920 §3.1, RFC 3207).
// All the rest is pipelined, bodies and passwords too: what a client should not do must not depend on cuts either.

/** Everything that came of a dialogue, with queue ids numbered: they alone differ. */
interface Outcome {
  readonly said: string;
  readonly closed: boolean;
  readonly messages: readonly unknown[];
}

/** Where to cut, in octets of the flight, and behind which pieces to wait a turn. */
interface Cuts {
  readonly at: readonly number[];
  readonly waits: number;
}

async function hold(made: House, flights: readonly string[], cuts: Cuts): Promise<Outcome> {
  const talk = made.open();
  for (const flight of flights) {
    const borders = [...new Set(cuts.at.map((at) => at % (flight.length + 1)))].toSorted((a, b) => a - b);
    const pieces = [0, ...borders].map((from, index) => flight.slice(from, borders[index]));
    for (const [index, piece] of pieces.entries()) {
      if (piece !== "") talk.send(piece);
      if ((cuts.waits >> (index % 30)) & 1) await turn();
    }
    await turn();
  }
  talk.engine.ended();
  await turn();
  readReplies(talk.said);
  const messages = made.messages
    .splice(0)
    .map(({ reversePath, recipients, text }) => ({ reversePath, recipients, text }));
  const ids = new Map<string, string>();
  const numbered = (text: string): string =>
    text.replace(/(?<=queued as |\sid )\w+/g, (id) => ids.get(id) ?? (ids.set(id, `#${ids.size}`), `#${ids.size - 1}`));
  return {
    said: numbered(talk.said),
    closed: talk.ended,
    messages: JSON.parse(numbered(JSON.stringify(messages))) as unknown[],
  };
}

/** A dialogue as flights: what the model would answer tells where bodies and passwords follow. */
function flightsOf(said: readonly (typeof utterances)[number][], rules: Rules): string[] {
  const flights: string[] = [];
  let flight = "";
  let state: State = start;
  for (const each of said) {
    const { codes, state: next } = answer(state, each, rules);
    const [first, ...rest] = speech[each];
    flight += first + (asksForMore(codes[0]) ? rest.join("") : "");
    if (next.tls && !state.tls) {
      flights.push(flight);
      flight = "";
    }
    if (next.phase === "closed") break;
    state = next;
  }
  return [...flights, flight];
}

const cuts: fc.Arbitrary<Cuts> = fc.record({
  at: fc.array(fc.nat(30_000), { maxLength: 40 }),
  waits: fc.nat(2 ** 30 - 1),
});
const whole: Cuts = { at: [], waits: 0 };
const octets: Cuts = { at: Array.from({ length: 3000 }, (_, at) => at), waits: 0 };

async function sameHowever(made: House, flights: readonly string[], cut: Cuts): Promise<Outcome> {
  const uncut = await hold(made, flights, whole);
  expect(await hold(made, flights, cut)).toEqual(uncut);
  if (flights.join("").length < 3000) expect(await hold(made, flights, octets)).toEqual(uncut);
  return uncut;
}

const patience = long ? 3_600_000 : 60_000;

describe.each([
  ["transfer", openHouse],
  ["submission", strictHouse],
  ["transfer with the limits of everyday", { ...openHouse, errors: 10, unknownCommands: 5, authFailures: 3 }],
] satisfies [string, Rules][])("%s", (_name, rules) => {
  test("a dialogue is the same however it is cut", { timeout: patience }, async () => {
    const made = await house(rules);
    onTestFinished(() => made.close());
    // Dialogues that come to something, with whatever may be said in between
    const course = fc.constantFrom(
      ["EHLO", "MAIL", "RCPT", "RCPT another", "DATA"] as const,
      ["EHLO", "STARTTLS", "EHLO", "AUTH in two steps", "MAIL from nobody", "RCPT another", "DATA"] as const,
      ["EHLO", "STARTTLS", "HELO", "AUTH", "MAIL", "RCPT", "DATA with a lone LF"] as const,
      ["EHLO", "AUTH cancelled", "STARTTLS", "EHLO", "MAIL", "RCPT refused", "RCPT", "DATA"] as const,
    );
    // What follows STARTTLS in clear is cut in a law of its own
    const chance = fc.constantFrom(...utterances.filter((said) => !said.includes("at once"))).map((said) => [said]);
    const dialogue = fc
      .array(fc.oneof({ weight: 1, arbitrary: course }, { weight: 3, arbitrary: chance }), {
        minLength: 1,
        maxLength: 15,
      })
      .map((parts) => flightsOf(parts.flat(), rules));
    let delivered = 0;
    await fc.assert(
      fc.asyncProperty(dialogue, cuts, async (flights, cut) => {
        delivered += (await sameHowever(made, flights, cut)).messages.length;
      }),
      { seed, numRuns: times(150, 5_000) },
    );
    expect(delivered).toBeGreaterThan(20);
  });
});

test("nothing said in clear behind STARTTLS is answered, however it is cut", async () => {
  const made = await house(openHouse);
  onTestFinished(() => made.close());
  const flight = "EHLO client.test\r\nSTARTTLS\r\nNOOP\r\nHELP\r\n";
  for (let at = 0; at <= flight.length; at += 1) {
    const { said, closed } = await hold(made, [flight], { at: [at], waits: 0 });
    // Without a wait between the pieces both are there before any handshake
    expect(said).toMatch(/\r\n250 AUTH PLAIN\r\n(?:503 5.5.1 .*|220 2.0.0 .*)\r\n$/);
    expect(closed).toBe(true);
  }
});

test("noise is the same however it is cut", { timeout: patience }, async () => {
  const made = await house({ ...openHouse, errors: 40 });
  onTestFinished(() => made.close());
  const transaction = "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.com>\r\nDATA\r\n";
  const ends = [
    "\r",
    "\n",
    "\r\n",
    ".",
    "..",
    "\r\n.\r\n",
    "\n.\n",
    "DATA\r\n",
    "AUTH PLAIN\r\n",
    "AGphbmUAb3Blbg==\r\n",
  ];
  const words = ["EHLO a", "MAIL FROM:", "RCPT TO:", "<jane@example.com>", "<joe@example.com>", "DATA", "RSET", "NOOP"];
  const odd = ["\0", " ", "\t", "a", "*", "=", "<", ">", "\u00ff", "\u00c3\u00bc", "x".repeat(513), "x".repeat(13_000)];
  const fields = ["X-Refuse: x\r\n", "Subject: x\r\n\r\n"];
  const anything = fc.constantFrom(...ends, ...words, ...odd, ...fields, "AUTH PLAIN");
  const scrap = fc.oneof(
    { weight: 6, arbitrary: anything },
    { weight: 1, arbitrary: fc.constant(transaction) },
    { weight: 1, arbitrary: fc.constant("\r\n.\r\n") },
  );
  let delivered = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(scrap, { maxLength: 30 }), cuts, async (scraps, cut) => {
      delivered += (await sameHowever(made, [scraps.join("")], cut)).messages.length;
    }),
    { seed, numRuns: times(300, 20_000) },
  );
  expect(delivered).toBeGreaterThan(20);
});
