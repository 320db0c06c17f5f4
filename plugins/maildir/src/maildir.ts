import {
  type Delivery,
  type Host,
  type Log,
  type Opinion,
  type Recipient,
  type Route,
  type Transaction,
  definePlugin,
  parseAddress,
  rejectWith,
  storageReply,
} from "@mailhost/core";
import * as v from "valibot";
import { calledFiles } from "./called-files.ts";
import { MaildirDelivery, missing } from "./delivery.ts";
import type { Files } from "./files.ts";
import type { FoldersOptions } from "./folders.ts";
import { JournalDelivery } from "./journal/delivery.ts";
import { type Hands, OwnHands } from "./journal/hands.ts";
import type { Outlet } from "./journal/put.ts";
import { replay } from "./journal/replay.ts";
import { ThreadHands } from "./journal/thread-hands.ts";
import { type Tags, locate, patternProblem } from "./mailbox.ts";
import type { Quota } from "./quota.ts";
import { full } from "./reservation.ts";
import { type Settings, checkRoot, readSettings } from "./settings.ts";
import { type Means, Store } from "./store.ts";
import { sweep } from "./sweep.ts";

/** Where mail is stored, and how. */
export interface MaildirOptions {
  /** Folder all mailboxes are in, relative to the working directory. */
  readonly root: string;
  /** Folders of a mailbox below the root; `{domain}/{local}` unless told otherwise. */
  readonly path?: string | undefined;
  /** Mail for `jane+tag`: `folder` (the default) puts it into the Maildir++ folder `.tag` of jane's, `inbox` into jane's inbox, `off` into a mailbox of its own. */
  readonly tags?: Tags | undefined;
  /** What separates a tag from the rest of the local part; `+` unless told otherwise, `""` for no tags. */
  readonly separator?: string | undefined;
  /** Jane and jane have a mailbox each. */
  readonly caseSensitive?: boolean | undefined;
  /** Makes a mailbox at the first delivery (the default). Without, mail for a mailbox that does not exist is refused. */
  readonly create?: boolean | undefined;
  /** Keeps CRLF line ends. Readers of Maildirs expect LF, which is the default. */
  readonly crlf?: boolean | undefined;
  /** What one mailbox may hold, its folders included; no limit unless told otherwise. */
  readonly quota?: Quota | undefined;
  /** Mode of files: a number, or octal digits in a string; `"600"` unless told otherwise. */
  readonly fileMode?: number | string | undefined;
  /** Mode of folders; `"700"` unless told otherwise. */
  readonly folderMode?: number | string | undefined;
  /** Waits until the disk has the message before it is acknowledged (the default). Off is for tests: a power cut loses mail. */
  readonly fsync?: boolean | undefined;
  /** Acknowledges by a log: one wait for the disk for all messages that come at once, and their files follow. */
  readonly journal?: boolean | undefined;
}

const mode = v.union(
  [
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o7777)),
    v.pipe(v.string(), v.regex(/^0?[0-7]{3,4}$/, "a mode is three or four octal digits")),
  ],
  'a mode is a number or octal digits such as "640"',
);
const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const schema = v.strictObject(
  {
    root: v.pipe(v.string(), v.nonEmpty("a folder is needed")),
    path: v.optional(
      v.pipe(
        v.string(),
        v.check(
          (pattern) => patternProblem(pattern) === undefined,
          ({ input }) => patternProblem(input) ?? "",
        ),
      ),
    ),
    tags: v.optional(v.picklist(["folder", "inbox", "off"])),
    separator: v.optional(v.string()),
    caseSensitive: v.optional(v.boolean()),
    create: v.optional(v.boolean()),
    crlf: v.optional(v.boolean()),
    quota: v.optional(v.strictObject({ octets: v.optional(count), messages: v.optional(count) })),
    fileMode: v.optional(mode),
    folderMode: v.optional(mode),
    fsync: v.optional(v.boolean()),
    journal: v.optional(v.boolean()),
  },
  ({ expected }) => (expected === "never" ? "there is no such option" : "it is missing"),
);

/** The plugin on a file system of one's own. */
export const maildirOn = (files: Files) => maildirWith({ files, hands: (outlet) => new OwnHands(outlet) });

/** The plugin with means of one's own. */
export const maildirWith = (means: Means) =>
  definePlugin<MaildirOptions>({
    name: "maildir",
    version: "1.0.0",
    core: "^1.0.0",
    options: { schema, keys: Object.keys(schema.entries) },
    async apply(host, options) {
      const settings = readSettings(options);
      await checkRoot(means.files, settings);
      const store = await openStore(host, means, settings);
      host.extend({ transports: [{ kind: "local", phases: "two" }] });
      if (store.quotas !== undefined || !settings.create) {
        // What can be refused here keeps the other recipients of the message. A failure is judged once more when it is stored
        host.hooks.rcpt.tapPromise(
          { name: "mailbox", stage: "last", onFailure: "ignore" },
          async (recipient, transaction) =>
            recipient.route?.transport === host.name
              ? judgeMailbox(store, recipient, recipient.route, transaction)
              : undefined,
        );
      }
      host.hooks.queue.for(host.name).tapPromise("store", async (delivery, _session, signal): Promise<Opinion> => {
        try {
          const copies = copiesOf(store, delivery);
          const refusal = await copies.stage(signal);
          if (refusal !== undefined) return refusal;
          delivery.stage(copies);
        } catch (error) {
          if (signal.aborted) throw error;
          host.log.error({ err: error, transaction: delivery.id }, `plugin ${host.name} could not store the message`);
          return rejectWith(storageReply(error));
        }
      });
    },
  });

/** Stores each message in the Maildir of each recipient, durably, before it is acknowledged. */
export const maildir = maildirWith({ files: calledFiles, hands: inThread });

/** Follows the 250 on a thread of its own, which is woken once for many files. */
function inThread(outlet: Outlet, { root, folderMode, fsync }: FoldersOptions, log: Log): Hands {
  const complain = (error: unknown): void =>
    log.error({ err: error, root }, "the thread that puts out mail has ended: it is put out without one");
  return new ThreadHands({ root, create: true, folderMode, fsync }, new OwnHands(outlet), complain);
}

/** By way of the journal, where there is one and it takes the message. */
function copiesOf(store: Store, delivery: Delivery): MaildirDelivery | JournalDelivery {
  const { journal } = store;
  const journaled = journal === undefined ? undefined : JournalDelivery.of(store, journal, delivery);
  return journaled ?? new MaildirDelivery(store, delivery);
}

/** One store and one sweep for all listeners and generations that store alike. What a killed server still owes comes first. */
function openStore(host: Host, means: Means, settings: Settings): Promise<Store> {
  const stop = new AbortController();
  const open = async (): Promise<Store> => {
    const { root, path } = settings;
    const { files } = means;
    const store = new Store(means, settings, host.clock, host.log);
    await replay(store.outlet, host.log);
    const complain = (folder: string, error: unknown): void =>
      host.log.warn({ err: error, folder }, "could not sweep failed deliveries");
    const depth = path.split("/").length + 1;
    // Beside the deliveries: a large store takes a while, and nobody waits for it
    void sweep({ files, root, depth, now: host.clock.now(), signal: stop.signal, complain }).then(
      (removed) => host.log.debug({ root, removed }, "swept failed deliveries"),
      (error: unknown) => complain(root, error),
    );
    return store;
  };
  return host.shared(`store ${JSON.stringify(settings)}`, open, async (store) => {
    stop.abort();
    await store.journal?.close();
  });
}

/** Whether the mailbox this recipient is routed to is there, and has room. */
async function judgeMailbox(
  store: Store,
  { address }: Recipient,
  { nexthop }: Route,
  { parameters }: Transaction,
): Promise<Opinion> {
  const owner = nexthop === undefined ? address : parseAddress(nexthop);
  if (owner === undefined) return; // said with its log line when the message is stored
  const mailbox = store.mailboxOf(locate(store.settings, owner));
  if (!store.settings.create && !(await store.has(mailbox))) return missing;
  const declared = Number(parameters.get("SIZE") ?? 0); // RFC 1870 §6.1
  if ((await store.quotas?.room(mailbox, declared)) === "full") return full;
}
