import { describe, expect, onTestFinished, test } from "vitest";
import { long, random, seed, times } from "./form.ts";
import { type House, house } from "./house.ts";
import { type Rules, utterances } from "./model.ts";
import { houses } from "./speech.ts";
import { Pair, everySequence, tour } from "./walk.ts";

const patience = long ? 3_600_000 : 60_000;
const told = (name: string, what: object): void => console.info(`${name}: ${JSON.stringify(what)}`);

async function opened(rules: Rules): Promise<House> {
  const made = await house(rules);
  onTestFinished(() => made.close());
  return made;
}

describe.each(Object.entries(houses))("%s", (name, rules) => {
  test("engine and model agree in every state on everything that can be said", { timeout: patience }, async () => {
    const walked = await tour(rules, await opened(rules));
    told(name, walked);
    expect(walked.transitions).toBe(walked.states * utterances.length);
  });

  test("engine and model agree on random dialogues", { timeout: patience }, async () => {
    const made = await opened(rules);
    const pick = random(seed);
    let dialogues = 0;
    let steps = times(25_000, 2_000_000);
    while (steps > 0) {
      const pair = new Pair(rules, made);
      dialogues += 1;
      for (let most = 1 + pick(200); most > 0 && steps > 0 && pair.state.phase !== "closed"; most -= 1) {
        const said = utterances[pick(utterances.length)] ?? "NOOP";
        if (said.startsWith("QUIT") && pick(4) > 0) continue; // dialogues would all be short
        await pair.say(said);
        steps -= 1;
      }
      await pair.leave();
    }
    told(name, { seed, dialogues });
  });
});

describe.each(Object.entries(houses).filter(([, { errors }]) => errors === Infinity))("%s", (name, rules) => {
  test("engine and model agree on every sequence", { timeout: patience }, async () => {
    told(name, await everySequence(rules, await opened(rules), times(6, 7)));
  });
});
