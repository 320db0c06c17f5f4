import { setTimeout as sleep } from "node:timers/promises";
import { readReplies } from "../../../core/test/laws/replies.ts";
import { replies, replyLines } from "@mailhost/core";
import { speech } from "../../../core/test/laws/speech.ts";
import type { Pieces } from "../input.ts";
import { type Stopwatch, type Target, clock as wallClock } from "../target.ts";
import { Follower, type Followed } from "./follow.ts";
import { type House, type HouseName, house } from "./house.ts";
import { dialogueTokens, houseNames } from "./tokens.ts";
import { FuzzWire } from "./wire.ts";

type Event = (wire: FuzzWire, house: House) => void | Promise<void>;

/** What pieces do that are no octets. */
const happens: ReadonlyMap<string, Event> = new Map<string, Event>([
  ["~wait", (wire) => wire.settle()],
  ["~later", (wire, { clock }) => wire.settle().then(() => wire.call(() => clock.advance(301_000)))], // nobody judges so long
  ["~late", (wire, { clock, odd }) => void (odd && wire.call(() => clock.advance(31_000)))], // somebody may be judging
  ["~deaf", (wire) => void (wire.deaf = true)],
  ["~reads", (wire) => wire.hears()],
  ["~end", (wire) => wire.call(() => wire.engine.ended())],
  ["~gone", (wire) => wire.call(() => wire.engine.gone("hung up"))],
  ["~drain", (wire) => wire.call(() => wire.engine.drain())],
  ["~stop", (wire) => wire.call(() => wire.engine.stop())],
]);

/** Milliseconds behind which no spool file is kept for bodies to come, and nobody looks after them. */
const filesKept = 5000;

/** What the log says of plugins that fail. */
const ofPlugins = /^plugin \S+ failed in|^the handler of|^plugin \S+ is failing: |no answer within/;
/** What makes another message of it, or takes it elsewhere. */
const changes = /X-(?:Add|Replace|Remove|Rewrite)|h[oa]ck@|hook/i;

const wordsOf = (text: string): string[] => text.split(/[^A-Za-z0-9]+/).filter((word) => word.length > 4);

/** Every word a server has to say, of core's table and of what an ordinary dialogue brings. */
async function vocabulary(houses: Iterable<House>): Promise<ReadonlySet<string>> {
  const heard = Object.values(replies).flatMap((reply) => replyLines(reply));
  for (const each of houses)
    for (const said of Object.values(speech)) {
      const wire = new FuzzWire(each.server, wallClock);
      for (const text of ["EHLO client.test\r\n", "STARTTLS\r\n", "EHLO client.test\r\n", ...said]) {
        wire.send(text);
        await wire.settle();
      }
      heard.push(wire.said);
      wire.engine.gone("it said enough");
    }
  return new Set(heard.flatMap(wordsOf));
}

class Dialogues implements Target {
  readonly tokens = dialogueTokens;
  readonly most = 150_000;
  readonly #houses: ReadonlyMap<string, House>;
  readonly #words: ReadonlySet<string>;

  constructor(houses: ReadonlyMap<string, House>, words: ReadonlySet<string>) {
    this.#houses = houses;
    this.#words = words;
  }

  async run(pieces: Pieces, watch: Stopwatch): Promise<number> {
    const named = this.#houses.get(pieces[0] ?? "");
    const held = named ?? this.#houses.get("~transfer");
    if (held === undefined) throw new Error("there is no house");
    held.messages.length = held.complaints.length = held.preamble.used = 0;
    held.clock.advance(filesKept);
    const timers = held.clock.waiting;
    const wire = new FuzzWire(held.server, watch);
    try {
      await this.#hold(held, wire, named === undefined ? pieces : pieces.slice(1));
    } finally {
      wire.engine.gone("the law is over");
    }
    await wire.settle();
    // Who was judging when the client left is done in a moment
    for (let turns = 1; turns <= 500 && !(wire.over && held.clock.waiting === timers); turns += 1) {
      await wire.turn();
      if (turns % 100 === 0) held.clock.advance(filesKept);
    }
    if (!wire.over) throw new Error("the client is gone and the session is not over");
    if (held.clock.waiting !== timers) throw new Error(`${held.clock.waiting - timers} timers are left behind`);
    const complaints = held.complaints.filter((one) => !held.odd || !ofPlugins.test(one));
    if (complaints.length > 0) throw new Error(`the log complains: ${complaints.join("; ")}`);
    return wire.longest;
  }

  async #hold(held: House, wire: FuzzWire, pieces: Pieces): Promise<void> {
    let left = false;
    for (const piece of pieces) {
      const event = happens.get(piece);
      left ||= piece === "~gone" || piece === "~end";
      if (event === undefined) {
        if (!left) wire.send(piece); // who has hung up says nothing
      } else await event(wire, held);
    }
    if (wire.deaf) wire.hears();
    const stands = await this.#settled(held, wire);
    if (left) return;
    if (!wire.ended) await this.#mustAnswer(held, wire, stands);
    else if (stands.state.phase !== "closed" && !stands.shakesHands && wire.said !== "")
      throw new Error("hung up without a last word");
  }

  /** Until everything is answered. Where bodies go to files, the file system takes its time. */
  async #settled(held: House, wire: FuzzWire): Promise<Followed> {
    for (let tries = held.odd ? 500 : 0; ; tries -= 1) {
      await wire.settle();
      const stands = this.#check(held, wire);
      const waits = stands.awaits === "body" ? `\r\n${stands.rest}`.includes("\r\n.\r\n") : stands.rest.includes("\n");
      if (!waits || wire.ended || tries <= 0) return stands;
      await sleep(1);
    }
  }

  #check({ messages, rules, odd, preamble }: House, wire: FuzzWire): Followed {
    if (wire.problem !== undefined) throw new Error(wire.problem);
    const also = odd ? ["451", "452", "454", "538", "550", "554"] : [];
    const sent = wire.sent.slice(preamble.used);
    const stands = new Follower(sent, readReplies(wire.said), { rules, also }).follow();
    for (const word of wordsOf(wire.said))
      if (!this.#words.has(word) && wire.sent.includes(word)) throw new Error(`${word} is echoed`);
    const { accepted } = stands;
    if (odd && changes.test(sent)) return stands;
    // The last may be on its way when the client or the server leaves
    if (messages.length < accepted.length || messages.length > accepted.length + 1)
      throw new Error(`${accepted.length} of ${messages.length} messages were acknowledged`);
    for (const [index, content] of accepted.entries())
      if (!(messages[index]?.text ?? "").endsWith(content)) throw new Error(`message ${index} is not what was sent`);
    return stands;
  }

  /** Whatever was said, the session is over or can be talked to. */
  async #mustAnswer(held: House, wire: FuzzWire, { awaits, rest }: Followed): Promise<void> {
    if (wire.said === "") return; // before a greeting nobody is talked to
    if (awaits === "nothing") throw new Error("the last word was said and the connection stands");
    if (awaits === "body") wire.send("\r\n.\r\n");
    else if (rest !== "") wire.send("\r\n");
    if (awaits === "answer" && rest === "") wire.send("*\r\n");
    // The end of a line may have made a DATA of what stood there
    if ((await this.#settled(held, wire)).awaits === "body" && awaits !== "body" && !wire.ended) {
      wire.send(".\r\n");
      await this.#settled(held, wire);
    }
    const before = wire.said.length;
    if (!wire.ended) wire.send("NOOP\r\n");
    const then = await this.#settled(held, wire);
    if (!wire.ended && then.rest !== "") throw new Error(`not everything is answered: ${JSON.stringify(then.rest)}`);
    const heard = wire.said.slice(before);
    if (!wire.ended && !heard.startsWith("250 ")) throw new Error(`NOOP is answered ${JSON.stringify(heard)}`);
  }

  async close(): Promise<void> {
    for (const { server } of this.#houses.values()) await server.close();
  }
}

export async function dialogue(): Promise<Target> {
  const houses = new Map<HouseName, House>();
  for (const name of houseNames) houses.set(name, await house(name));
  return new Dialogues(houses, await vocabulary(houses.values()));
}
