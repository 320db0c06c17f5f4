import { type Answer, type Rules, type State, type Utterance, answer, start, utterances } from "./model.ts";
import { type House, type Talk, turn } from "./house.ts";
import { asksForMore, speech } from "./speech.ts";

const nameOf = (state: State): string => Object.values(state).join("/");

/** One dialogue in which model and engine go side by side. Throws with the whole dialogue where they part. */
export class Pair {
  state: State = start;
  readonly #rules: Rules;
  readonly #house: House;
  readonly #talk: Talk;
  readonly #said: string[] = [];

  constructor(rules: Rules, house: House) {
    this.#rules = rules;
    this.#house = house;
    this.#talk = house.open();
    const [banner, ...more] = this.#talk.heard().map(({ code }) => code);
    if (banner !== "220" || more.length > 0) this.#fail("the banner is not 220");
  }

  async say(said: Utterance): Promise<void> {
    const expected = answer(this.state, said, this.#rules);
    const codes = await this.#hold(said, expected.codes.length);
    this.#said.push(`${said} -> ${codes.join(" ")}`);
    if (!agree(expected.codes, codes)) this.#fail(`the model says ${expected.codes.join(" ")}`);
    this.state = expected.state;
    if (this.#talk.ended !== (this.state.phase === "closed"))
      this.#fail(this.#talk.ended ? "the engine closed" : "the engine did not close");
    this.#compareMail(expected);
  }

  /** Nothing was said beyond the answers, and the dialogue can be left. */
  async leave(): Promise<void> {
    await turn();
    const more = this.#talk.heard().map(({ code }) => code);
    if (more.length > 0) this.#fail(`the engine goes on with ${more.join(" ")}`);
    this.#talk.engine.gone("the law is over");
  }

  async #hold(said: Utterance, expected: number): Promise<string[]> {
    const [first, ...rest] = speech[said];
    const codes: string[] = [];
    const send = async (piece: string, count: number): Promise<void> => {
      this.#talk.send(piece);
      codes.push(...(await this.#talk.hear(count)).map(({ code }) => code));
    };
    await send(first, Math.max(1, expected - rest.length));
    for (const piece of rest) if (asksForMore(codes.at(-1))) await send(piece, 1);
    if (codes.at(-1) === "220") await turn(); // TLS is set up
    return codes;
  }

  #compareMail({ delivered }: Answer): void {
    const got = this.#house.messages.splice(0).map(({ reversePath, recipients, text }) => ({
      sender: reversePath,
      recipients: recipients.toSorted(),
      with: /^Received:[^;]*? with (\S+)/m.exec(text)?.[1],
      intact: text.endsWith("\r\n\r\nText\r\n.a line that begins with a dot\r\n"),
    }));
    const wanted = delivered === undefined ? [] : [{ ...delivered, intact: true }];
    if (JSON.stringify(got) !== JSON.stringify(wanted))
      this.#fail(`delivered was ${JSON.stringify(got)}, and the model says ${JSON.stringify(wanted)}`);
  }

  #fail(what: string): never {
    throw new Error(`${what}\nin ${nameOf(this.state)}, after\n${this.#said.slice(-20).join("\n")}`);
  }
}

const agree = (patterns: readonly string[], codes: readonly string[]): boolean =>
  patterns.length === codes.length &&
  patterns.every((pattern, at) => [...pattern].every((digit, index) => digit === "." || digit === codes[at]?.[index]));

/** A state of the model, and where each utterance leads. Itself, where nothing changes. */
interface Place {
  readonly state: State;
  readonly next: Map<Utterance, Place>;
  /** The places one can go on from, and by what. */
  readonly onward: Map<Place, Utterance>;
  /** What was not yet said here. */
  readonly left: Set<Utterance>;
}

const isClosed = ({ state }: Place): boolean => state.phase === "closed";

/** Everything the model can reach, breadth first, as a graph. */
function explore(rules: Rules): { first: Place; places: readonly Place[] } {
  const places = new Map<string, Place>();
  const placeOf = (state: State): Place => {
    const name = nameOf(state);
    const place = places.get(name) ?? { state, next: new Map(), onward: new Map(), left: new Set(utterances) };
    places.set(name, place);
    return place;
  };
  const first = placeOf(start);
  // A Map grows while it is walked
  for (const place of places.values())
    if (!isClosed(place))
      for (const said of utterances) {
        const to = placeOf(answer(place.state, said, rules).state);
        place.next.set(said, to);
        if (!isClosed(to) && !place.onward.has(to)) place.onward.set(to, said);
      }
  return { first, places: [...places.values()].filter((place) => !isClosed(place)) };
}

/** What was walked. */
export interface Tour {
  readonly states: number;
  /** (state, utterance), each executed in the engine at least once. */
  readonly transitions: number;
  readonly steps: number;
  readonly dialogues: number;
}

/** Takes every transition of the model in the engine: on from where it stands, by the shortest way to what is left. */
export async function tour(rules: Rules, house: House): Promise<Tour> {
  const { first, places } = explore(rules);
  let [transitions, steps, dialogues] = [0, 0, 0];
  while (places.some(({ left }) => left.size > 0)) {
    const pair = new Pair(rules, house);
    dialogues += 1;
    let here = first;
    for (let way = wayToWhatIsLeft(here); way !== undefined && !isClosed(here); way = wayToWhatIsLeft(here))
      for (const said of way) {
        await pair.say(said);
        steps += 1;
        if (here.left.delete(said)) transitions += 1;
        here = here.next.get(said) ?? here;
      }
    await pair.leave();
  }
  return { states: places.length, transitions, steps, dialogues };
}

/** The shortest sequence that ends with something never said there; what ends a dialogue is said last. */
function wayToWhatIsLeft(from: Place): Utterance[] | undefined {
  const ways = new Map<Place, Utterance[]>([[from, []]]);
  for (const [place, way] of ways) {
    if (place.left.size > 0) {
      const open = [...place.left];
      const going = open.find((said) => !isClosed(place.next.get(said) ?? place));
      return [...way, ...(going === undefined ? open.slice(0, 1) : [going])];
    }
    for (const [to, said] of place.onward) if (!ways.has(to)) ways.set(to, [...way, said]);
  }
  return undefined;
}

/**
 * All sequences of at most `length`, but that what leaves the state as it is stands at the end of one alone:
 * there all of it is said in a row, which shows beside that the engine is where the model is.
 */
export async function everySequence(
  rules: Rules,
  house: House,
  length: number,
): Promise<{ sequences: number; steps: number }> {
  let sequences = 0;
  let steps = 0;
  const hold = async (dialogue: readonly Utterance[]): Promise<void> => {
    const pair = new Pair(rules, house);
    for (const said of dialogue) await pair.say(said);
    await pair.leave();
    steps += dialogue.length;
  };
  const walk = async (prefix: readonly Utterance[], state: State): Promise<void> => {
    const moves = utterances.filter((said) => nameOf(answer(state, said, rules).state) !== nameOf(state));
    const stays = utterances.filter((said) => !moves.includes(said));
    sequences += utterances.length;
    await hold([...prefix, ...stays]);
    for (const said of moves) {
      const next = answer(state, said, rules).state;
      const longer = [...prefix, said];
      if (next.phase === "closed" || longer.length === length) await hold(longer);
      else await walk(longer, next);
    }
  };
  await walk([], start);
  return { sequences, steps };
}
