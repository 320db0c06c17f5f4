import { type Engine, type Mailhost, type Plugin, type TlsInfo, type Wire, mailhost, reject } from "@mailhost/core";
import { type SunkMessage, TestClock, sink } from "@mailhost/testkit";
// Core may not depend on its plugins; the laws are about the dialogue that they make together
import { authPlain } from "../../../plugins/auth-plain/src/index.ts";
import { starttls } from "../../../plugins/starttls/src/index.ts";
import { plugin, recorder } from "../support/dialogue.ts";
import type { Rules } from "./model.ts";
import { type ReadReply, readReplies, serverName } from "./replies.ts";
import { account } from "./speech.ts";

const mostEver = 1e9;
const within = (most: number): number => (most === Infinity ? mostEver : most);

/** Refuses one recipient and one kind of message. */
const judge = (): Plugin =>
  plugin("judge", ({ hooks }) => {
    hooks.rcpt.tap("judge", ({ address }) => {
      if (address.localPart === "refused") return reject("Not this one");
    });
    hooks.data.tap("judge", ({ fields }) => {
      if (fields.some(({ name }) => name === "X-Refuse")) return reject("Not this", { code: 554 });
    });
  });

/** One who takes a few turns to think, as a look-up does. */
const slow = (): Plugin =>
  plugin("slow", ({ hooks }) =>
    hooks.rcpt.tapPromise("slow", async ({ address }) => {
      for (let turns = 0; address.localPart === "jack" && turns < 5; turns += 1) await Promise.resolve();
    }),
  );

/** A server for laws, set up by rules, with what it delivered. */
export interface House {
  readonly open: () => Talk;
  readonly messages: SunkMessage[];
  readonly close: () => Promise<void>;
}

export async function house(rules: Rules, more: readonly Plugin[] = []): Promise<House> {
  const box = sink();
  const { username, password } = account;
  const verify = (name: string, word: string): boolean => name === username && word === password;
  const server = mailhost({
    name: serverName,
    listeners: [{ port: 0, mode: rules.mends ? "submission" : "transfer" }],
    clock: new TestClock(),
    log: recorder(),
    plugins: [
      starttls({ selfSigned: true, requireTls: rules.needsTls }),
      authPlain({ verify, allowInsecure: true, required: rules.needsAuth, failureDelay: 0 }),
      judge(),
      slow(),
      ...more,
      box,
    ],
    limits: {
      errors: within(rules.errors),
      unknownCommands: within(rules.unknownCommands),
      authFailures: within(rules.authFailures),
      commands: mostEver,
      transactions: mostEver,
    },
  });
  await server.prepare();
  return { open: () => new Talk(server), messages: box.messages, close: () => server.close() };
}

/** Lets everything run that waits for no timer: no disk and no clock is in play here. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const peer = { client: { address: "192.0.2.1", port: 40_000 }, local: { address: "192.0.2.25", port: 25 } };
const tls: TlsInfo = { protocol: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" };

/** One dialogue over a wire in memory. Octets are characters of latin1. */
export class Talk implements Wire {
  readonly engine: Engine;
  ended = false;
  /** Everything the server sent. */
  said = "";
  #read = 0;

  constructor(server: Mailhost) {
    this.engine = server.dialogue(this, { peer });
    this.engine.start();
  }

  send(text: string): void {
    this.engine.receive(new Uint8Array(Buffer.from(text, "latin1")));
  }

  /** The replies since the last time, each held to RFC 5321 §4.2. */
  heard(): ReadReply[] {
    const fresh = this.said.slice(this.#read);
    this.#read = this.said.length;
    return readReplies(fresh);
  }

  /** The replies to what was sent, once there are `count`, or as many as there will be. */
  async hear(count: number): Promise<ReadReply[]> {
    const replies = this.heard();
    for (let turns = 0; turns < 5 && replies.length < count; turns += 1) {
      await turn();
      replies.push(...this.heard());
    }
    return replies;
  }

  // -- the server's end ---------------------------------------------------------------------------

  write(octets: Uint8Array): boolean {
    this.said += Buffer.from(octets).toString("latin1");
    return true;
  }
  end(): void {
    this.ended = true;
  }
  pause(): void {}
  resume(): void {}
  upgrade(): void {
    queueMicrotask(() => this.engine.secured(tls));
  }
}
