import { onTestFinished } from "vitest";
import { type Dialogue, opened, turn } from "./dialogue.ts";

/** What JavaScript lets a plugin return, whatever the types say. */
export const rubbish = (value: unknown): never => value as never;
export type Wrong = () => never;

export const fail: Wrong = () => {
  throw new Error("broken on purpose");
};
/** Of going wrong. */
export const ways: [what: string, wrong: Wrong][] = [
  ["throws", fail],
  ["rejects", () => rubbish(Promise.reject(new Error("broken on purpose")))],
  [
    "gives what throws when asked for its then",
    () =>
      rubbish({
        get then() {
          return fail();
        },
      }),
  ],
  ["gives what throws when waited for", () => rubbish({ then: fail })],
  ["gives a symbol", () => rubbish(Symbol("nonsense"))],
  ["gives an empty object", () => rubbish({})],
  ["gives a second line", () => rubbish("1\r\n250 2")],
  ["never answers", () => rubbish(new Promise(() => {}))],
  [
    "throws what cannot be told",
    () => {
      throw Object.assign(new Error("x"), { message: Symbol("x") });
    },
  ],
];

/** Collects rejections that nobody takes until the test is over. Node tells them when the microtasks of a turn are done. */
export function untaken(): () => Promise<unknown[]> {
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  return async () => {
    await turn();
    return errors;
  };
}

/** The last line of the next reply. */
export async function heard({ hear, wire }: Dialogue): Promise<string> {
  let last = "";
  while (!wire.ended) {
    last = (await hear(1)).at(-1) ?? "";
    if (last[3] !== "-") return last;
  }
  return last;
}

/** One message, from greeting to the answer. */
export async function deliver(held: Dialogue, to = "joe"): Promise<string> {
  await heard(held);
  let last = "";
  for (const line of [...opened, `RCPT TO:<${to}@example.com>`, "DATA", "text\r\n."]) {
    held.say(line);
    last = await heard(held);
  }
  held.engine.gone("disconnected");
  await turn();
  return last;
}
