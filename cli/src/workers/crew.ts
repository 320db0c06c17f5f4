import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { exitCodes } from "../exit.ts";
import { type Death, Member, type Start } from "./member.ts";

/** A worker that lived as long as this did not die of its configuration: the next one comes soon. */
const longLife = 60_000;
/** Milliseconds before a dead worker's successor starts: doubled with each that dies young, as far as Postfix's master waits. */
const shortestWait = 100;
const longestWait = 60_000;

const isEnding = "the server is ending";

/** What one worker is doing the work of. */
interface Place {
  member: Member | undefined;
  /** Workers in a row that died young. */
  young: number;
}

/** Hears what happens while workers are replaced. */
export type Progress = (replaced: { readonly old: number | undefined; readonly new: number }) => void;

/** The workers of one primary: so many places, each filled again when its worker dies. */
export class Crew {
  readonly #log: Logger;
  readonly #places: readonly Place[];
  /** Every process that lives, those too that only finish their sessions. */
  readonly #living = new Set<Member>();
  /** Resolves when a socket is closed that nobody here can open again. */
  readonly lost: Promise<void>;
  #lose = (): void => {};
  #turn: Promise<unknown> = Promise.resolve();
  #handed = false;
  #ending = false;

  constructor(size: number, log: Logger) {
    this.#log = log;
    this.#places = Array.from({ length: size }, () => ({ member: undefined, young: 0 }));
    this.lost = new Promise((resolve) => (this.#lose = resolve));
  }

  /** Whether `end` was called: what dies from now on is no trouble. */
  get ending(): boolean {
    return this.#ending;
  }

  /** The first worker's banner once all listen; or how the first one ended, and then there are no others. */
  start(): Promise<Start> {
    return this.#inTurn(async () => {
      const [first, ...others] = this.#places;
      if (first === undefined) throw new RangeError("a crew has one place at least");
      const member = this.#fork();
      const started = await member.start;
      if ("death" in started || this.#ending) return started;
      this.#fill(first, member);
      await Promise.all(others.map((place) => this.#fill(place, this.#fork()).start));
      return started;
    });
  }

  /** One worker after the other reads the configuration again; resolves to why not all did. The first that cannot ends it. */
  reload(): Promise<string | undefined> {
    return this.#inTurn(async () => {
      let done = 0;
      for (const { member } of this.#places) {
        if (this.#ending) return isEnding;
        if (member === undefined || "death" in (await member.start)) continue;
        const why = await member.reload();
        if (why !== undefined) return this.#partly("reloaded", done, `worker ${member.pid}: ${why}`);
        done += 1;
      }
      this.#log.info({ workers: done }, "workers reloaded");
      return undefined;
    });
  }

  /**
   * One worker after the other gets a successor, which reads its code anew; the old one goes on until its sessions are
   * over. Resolves to why not all were replaced. The first successor that does not listen ends it.
   */
  replace(progress: Progress = () => {}): Promise<string | undefined> {
    return this.#inTurn(async () => {
      let done = 0;
      for (const place of this.#places) {
        if (this.#ending) return isEnding;
        const member = this.#fork();
        const started = await member.start;
        if (this.#ending) return isEnding;
        if ("death" in started) return this.#partly("replaced", done, describe(started.death));
        const old = place.member;
        this.#fill(place, member);
        place.young = 0;
        await this.#dismiss(old, member);
        done += 1;
        progress({ old: old?.pid, new: member.pid });
      }
      return undefined;
    });
  }

  /** Resolves when new sessions meet the successor only. */
  async #dismiss(old: Member | undefined, successor: Member): Promise<void> {
    const fields = { old: old?.pid, new: successor.pid };
    const trouble = await old?.handOver();
    if (trouble !== undefined) this.#log.error(fields, `worker ${old?.pid ?? ""}: ${trouble}`);
    this.#log.info(fields, `worker ${old?.pid ?? "(dead)"} replaced by ${successor.pid}`);
    void old?.gone.then((death) => {
      const level = death.code === exitCodes.fine ? "info" : "error";
      this.#log[level](fields, `worker ${old.pid}, replaced before, ${describe(death)}`);
    });
  }

  /** Drains all; resolves to the exit code once the last one is gone. */
  async end(): Promise<number> {
    this.#ending = true;
    let code: number = exitCodes.fine;
    const ended = async (member: Member): Promise<void> => {
      const listened = !("death" in (await member.start));
      if (listened && (await member.gone).code !== exitCodes.fine) code = exitCodes.runTime;
      await member.gone;
    };
    const all = [...this.#living].map((member) => {
      const over = ended(member);
      member.order("end");
      return over;
    });
    await Promise.all(all);
    return code;
  }

  /** Ends all at once. */
  kill(): void {
    for (const member of this.#living) member.kill("SIGKILL");
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #fork(): Member {
    const member = new Member();
    this.#living.add(member);
    void member.gone.then(() => this.#living.delete(member));
    return member;
  }

  #fill(place: Place, member: Member): Member {
    place.member = member;
    void member.leaves.then(() => this.#left(place, member));
    return member;
  }

  /** A worker is gone that nobody told to go: another one comes, the later the more of them died young. */
  async #left(place: Place, member: Member): Promise<void> {
    if (this.#ending || place.member !== member) return;
    place.member = undefined;
    const wait = Math.min(longestWait, shortestWait * 2 ** place.young);
    place.young = performance.now() - member.startedAt < longLife ? place.young + 1 : 0;
    // A signal to the whole group reaches workers first, and then nothing is wrong
    await sleep(shortestWait);
    if (this.#ending) return;
    this.#tell(member);
    this.#handed ||= member.handed;
    if (this.#handed && !this.#places.some((one) => one.member?.listens === true)) {
      this.#log.error(
        "the socket that was handed over is closed with its last worker; whoever starts this anew hands it over again",
      );
      await member.gone;
      return this.#lose();
    }
    this.#log.warn({ worker: member.pid, wait }, `another worker starts in ${wait} ms`);
    await sleep(wait - shortestWait);
    if (!this.#ending && place.member === undefined) this.#fill(place, this.#fork());
  }

  /** How a worker ended, once it did. */
  #tell(member: Member): void {
    void member.gone.then((death) => {
      const fields = { worker: member.pid, code: death.code, signal: death.signal };
      this.#log.error(fields, `worker ${member.pid} ${describe(death)}`);
    });
  }

  #partly(what: string, done: number, why: string): string {
    const all = this.#places.length;
    const state = done === 0 ? `no worker was ${what}` : `only ${done} of ${all} workers were ${what}`;
    this.#log.error({ workers: all, done }, `${state}: ${why}`);
    return `${state}: ${why}`;
  }
}

const describe = ({ code, signal, text }: Death): string =>
  `ended with ${signal ?? `code ${code}`}${text === undefined ? "" : `: ${text.trim()}`}`;
