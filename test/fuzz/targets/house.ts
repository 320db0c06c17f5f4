import { type Limits, type Mailhost, type Plugin, definePlugin, mailhost, reject } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { authLogin } from "@mailhost/plugin-auth-login";
import { authPlain } from "@mailhost/plugin-auth-plain";
import { mux } from "@mailhost/plugin-mux";
import { starttls } from "@mailhost/plugin-starttls";
import { type SunkMessage, TestClock, sink } from "@mailhost/testkit";
import type { Rules } from "../../../core/test/laws/model.ts";
import { serverName } from "../../../core/test/laws/replies.ts";
import { account, openHouse, strictHouse } from "../../../core/test/laws/speech.ts";
import { meddler, proxy } from "./meddler.ts";
import type { houseNames } from "./tokens.ts";

/** A server in memory with the mission's plugins. */
export interface House {
  readonly server: Mailhost;
  readonly rules: Rules;
  readonly clock: TestClock;
  readonly messages: SunkMessage[];
  /** What was logged as an error or a warning, messages alone. */
  readonly complaints: string[];
  /** Its plugins do all that plugins may do, and fail. */
  readonly odd: boolean;
  /** Octets that stood before the greeting. */
  readonly preamble: { used: number };
}

export type HouseName = (typeof houseNames)[number];

/** The limits of everyday, and none, so that the model's answers are the only ones. */
const everyday: Rules = { ...openHouse, errors: 10, unknownCommands: 5, authFailures: 3 };
const rulesOf: Readonly<Record<HouseName, Rules>> = {
  "~transfer": openHouse,
  "~submission": strictHouse,
  "~everyday": everyday,
  "~odd": everyday,
};

const none = 1e9;
const limitsOf: Readonly<Record<HouseName, Partial<Limits>>> = {
  "~transfer": { errors: none, unknownCommands: none, authFailures: none, commands: none, transactions: none },
  "~submission": { errors: none, unknownCommands: none, authFailures: none, commands: none, transactions: none },
  "~everyday": {},
  "~odd": { messageOctets: 4000, messageMemoryOctets: 700, recipients: 3, commands: 60, transactions: 4 },
};

/** Judges as the model knows them, one who takes his time, and one who watches. */
const judges: Plugin = definePlugin({
  name: "judges",
  version: "1.0.0",
  core: "^1.0.0",
  apply({ hooks }) {
    hooks.rcpt.tap("judges", ({ address }) => {
      if (address.localPart === "refused") return reject("Not this one");
    });
    hooks.rcpt.tapPromise("judges", async ({ address }) => {
      for (let turns = 0; address.localPart === "jack" && turns < 5; turns += 1) await Promise.resolve();
    });
    hooks.data.tap("judges", ({ fields }) => {
      if (fields.some(({ name }) => name === "X-Refuse")) return reject("Not this", { code: 554 });
    });
  },
})();

/** Handlers: the one takes what it is given, the other gives up. */
const take = async ({ text }: { text: () => Promise<string> }): Promise<void> => void (await text());
const spill = (): Promise<void> => Promise.reject(new Error("it is full"));

const watcher: Plugin = definePlugin({
  name: "watcher",
  version: "1.0.0",
  core: "^1.0.0",
  apply: ({ hooks }) => hooks.trace.tap("watcher", () => {}),
})();

export async function house(name: HouseName): Promise<House> {
  const rules = rulesOf[name];
  const odd = name === "~odd";
  const preamble = proxy();
  const clock = new TestClock();
  const box = sink({ everything: false });
  const complaints: string[] = [];
  const complain = (_fields: object, message: string): void => void complaints.push(message);
  const verify = (user: string, word: string): boolean => user === account.username && word === account.password;
  const server = mailhost({
    name: serverName,
    listeners: [{ port: 0, mode: rules.mends ? "submission" : "transfer" }],
    clock,
    log: { debug() {}, info() {}, warn: complain, error: complain },
    plugins: [
      starttls({ selfSigned: true, requireTls: rules.needsTls }),
      authPlain({ verify, allowInsecure: !odd, required: rules.needsAuth, failureDelay: 0 }),
      authLogin({ allowInsecure: true }),
      addressable({ domains: ["example.com"], relay: { identities: true } }),
      mux({
        routes: { "*@example.com": box.name, ...(odd ? { "hook@example.com": take, "hack@example.com": spill } : {}) },
      }),
      judges,
      box,
      ...(odd ? [meddler(), preamble] : []),
      ...(name === "~everyday" ? [watcher] : []),
    ],
    limits: limitsOf[name],
  });
  await server.prepare();
  complaints.length = 0; // a certificate of one's own is said aloud
  return { server, rules, odd, clock, messages: box.messages, complaints, preamble };
}
