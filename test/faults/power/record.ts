import { mkdtempSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { mailboxPath } from "@mailhost/plugin-maildir";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@mailhost/testkit";
import { random } from "../../../core/test/laws/form.ts";
import { FileCalls } from "../file-calls.ts";
import { systemError } from "../faults.ts";
import { House, type Scenario, letter } from "../house.ts";
import type { DiskLog } from "./disk.ts";
import type { Life, Post } from "./lives.ts";
import { Recorder } from "./recorder.ts";

/** A life with everything that was asked of the disk. */
export interface Recorded {
  readonly life: Life;
  readonly log: DiskLog;
  /** Path of a recipient's mailbox, from the folder that was watched. */
  readonly mailbox: (recipient: string) => string;
}

export const postsOf = ({ posts, again = [] }: Life): readonly Post[] => [...posts.flat(), ...again];

export const scenarioOf = (life: Life): Scenario => ({
  name: life.name,
  options: life.options ?? {},
  lines: life.lines ?? 30,
  recipients: [...new Set(postsOf(life).flatMap(({ to }) => to))],
  ...(life.root === undefined ? {} : { root: life.root }),
  warm: false,
  oneIn: 1,
  calls: 1,
});

/** Where one life takes place. */
class Site {
  readonly folder: string;
  readonly calls: FileCalls;
  readonly recorder: Recorder;
  readonly #street: string;
  readonly #life: Life;

  constructor(street: string, life: Life) {
    this.#street = street;
    this.#life = life;
    this.folder = mkdtempSync(join(street, "life-"));
    this.house(); // its folders
    this.recorder = new Recorder(this.folder);
    this.calls = new FileCalls(street);
  }

  /** A server, the first or a later one. */
  house(): House {
    return new House(this.#street, scenarioOf(this.#life), undefined, join(this.folder, "srv", "house"));
  }

  /** A server that is ready, with nothing under way. */
  async open(): Promise<House> {
    const house = this.house();
    await house.server.prepare();
    await quiet();
    return house;
  }

  end(house: House): Recorded {
    this.calls.release();
    rmSync(this.folder, { recursive: true, force: true });
    return recordedIn(this.folder, this.#life, house, this.recorder);
  }
}

export const recordedIn = (folder: string, life: Life, { root }: House, { log }: Recorder): Recorded => ({
  life,
  log,
  mailbox: (recipient) => relative(folder, mailboxPath(root, recipient)),
});

/** Lets a server live in a folder of its own below the street. */
export async function record(street: string, life: Life, seed: number): Promise<Recorded> {
  const site = new Site(street, life);
  const { calls, recorder } = site;
  const house = site.house();
  calls.meet = (call) => recorder.meet(call);
  const pick = random(seed);
  if (life.overlaps === true) recorder.overlap = dawdling(pick);
  await house.server.prepare();
  for (const group of life.posts) {
    const fails = group.flatMap((one) => one.fails ?? []);
    calls.meet = (call) =>
      fails.some((fault) => fault(call)) ? Promise.reject(systemError("ENOSPC", call)) : recorder.meet(call);
    const comeIn = async (one: Post): Promise<void> => {
      if (life.overlaps === true) await turns(pick(apart));
      await handIn(await house.greeted(), house, one, recorder);
    };
    await Promise.all(group.map(comeIn));
    await calls.idle();
    house.clock.advance(life.pause ?? 0);
    await calls.idle();
  }
  await house.close();
  return site.end(house);
}

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A delivery takes about so many turns: some come when another is halfway through. */
const apart = 300;

/** Some turns, so that calls begin and return in any order. */
const dawdling = (pick: (below: number) => number) => (): Promise<void> => turns(pick(6));

const never = new Promise<never>(() => {});

/** Until everybody waits for something that does not come. */
const quiet = (): Promise<void> => turns(20);

/** Opened once, if ever. */
interface Gate {
  readonly opened: Promise<true>;
  readonly open: () => void;
}

function gate(): Gate {
  let open = (): void => {};
  const opened = new Promise<true>((resolve) => (open = () => resolve(true)));
  return { opened, open };
}

/** Whether it is opened before the work is done without. */
const opensDuring = (work: Promise<unknown>, { opened }: Gate): Promise<boolean> =>
  Promise.race([opened, work.then(() => false)]);

/**
 * A life whose first process is killed behind so many calls that change something, amid its one message; another process
 * takes the next. Undefined when the first has done all it had to do before that.
 */
export async function recordKilled(street: string, life: Life, behind: number): Promise<Recorded | undefined> {
  const site = new Site(street, life);
  const { calls, recorder } = site;
  const first = await site.open();
  const death = gate();
  calls.meet = async (call) => {
    const result = recorder.changes < behind ? await recorder.meet(call) : undefined;
    if (recorder.changes < behind) return result;
    death.open();
    call.aside();
    return never; // the dead hear no more of their calls
  };
  const client = await first.greeted();
  const lived = Promise.all(life.posts.flat().map((one) => handIn(client, first, one, recorder)));
  const isDead = await opensDuring(lived, death);
  await quiet();
  if (isDead) await another(site, life.again ?? []);
  client.hangUp();
  await lived.catch(() => {}); // nobody is answered by the dead
  await quiet();
  calls.restart();
  const recorded = site.end(first);
  return isDead ? recorded : undefined;
}

/** Milliseconds after which the second is taken to wait for the first. */
const stuck = 250;

/**
 * A life whose first message meets one slow fsync, the given one of all that it asks for. Another message overtakes it
 * there, as far as it need not wait for the same. Undefined when there are not so many.
 */
export async function recordOvertaken(street: string, life: Life, which: number): Promise<Recorded | undefined> {
  const site = new Site(street, life);
  const { calls, recorder } = site;
  const house = await site.open();
  const [arrival, release] = [gate(), gate()];
  let syncs = 0;
  calls.meet = async (call) => {
    if (call.name !== "sync" || (syncs += 1) !== which) return recorder.meet(call);
    arrival.open();
    call.aside();
    return recorder.meet(call, () => release.opened);
  };
  const all = async (posts: readonly Post[]): Promise<void> => {
    for (const one of posts) await handIn(await house.greeted(), house, one, recorder);
  };
  const first = all(life.posts.flat());
  const isReached = await opensDuring(first, arrival);
  if (isReached) {
    const second = all(life.again ?? []);
    await Promise.race([second, delay(stuck)]);
    release.open();
    await second;
  }
  await first;
  await house.close();
  const recorded = site.end(house);
  return isReached ? recorded : undefined;
}

async function another(site: Site, posts: readonly Post[]): Promise<void> {
  const { calls } = site;
  const { meet } = calls;
  calls.meet = (call) => site.recorder.meet(call);
  const second = site.house();
  await second.server.prepare();
  for (const one of posts) await handIn(await second.greeted(), second, one, site.recorder);
  await quiet();
  await second.server.close();
  calls.meet = meet;
}

/** Hands the message in, and writes down the moment at which the client is told. */
async function handIn(client: Client, house: House, { subject, to, hangsUp = false }: Post, recorder: Recorder) {
  const text = letter(subject, house.scenario.lines);
  const write = client.wire.write.bind(client.wire);
  client.wire.write = (octets) => {
    const line = Buffer.from(octets).toString("latin1");
    // Nobody is refused before the message itself is
    if (/^(?:250 2\.0\.0 Ok: queued|4|5)/.test(line)) recorder.told(subject, line.slice(0, 3));
    return write(octets);
  };
  if (hangsUp) {
    await client.ask("MAIL FROM:<>");
    for (const recipient of to) await client.ask(`RCPT TO:<${recipient}>`);
    await client.ask("DATA");
    await client.pour(Buffer.from(text));
  } else await client.deliver({ to, text });
  await client.close();
}
