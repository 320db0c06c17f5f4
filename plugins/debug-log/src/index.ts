import { Writable } from "node:stream";
import {
  ConfigurationError,
  type Host,
  definePlugin,
  makeNetworks,
  networkProblem,
  describeError,
  errorCode,
} from "@mailhost/core";
import * as v from "valibot";
import type { Criteria } from "./filter.ts";
import { addressProblem, addressTest } from "./filter.ts";
import { fileOutlet } from "./file-outlet.ts";
import { type Outlet, type OutletOptions, streamOutlet } from "./outlet.ts";
import { recordLine } from "./records.ts";
import type { Seen } from "./seen.ts";
import { TextForm, wantsColour } from "./text.ts";
import { Watcher } from "./watch.ts";

export { type ClientStep, type Dialogue, octetsOf, readDialogue, readRecord } from "./dialogue.ts";
export type * from "./records.ts";
export { recordVersion } from "./records.ts";

/** What is written, where, and of whom. */
export interface DebugLogOptions {
  /** For people: `true` and `"stderr"` write to standard error, `"stdout"` to standard output, another string is a file. */
  readonly text?: boolean | string | Writable | undefined;
  /** For machines: a file, or a stream. */
  readonly ndjson?: string | Writable | undefined;
  /** How much is seen of what DATA brings; `off` unless told otherwise. */
  readonly body?: "off" | "headers" | "all" | undefined;
  /** Only sessions of these addresses or networks (CIDR). */
  readonly client?: string | readonly string[] | undefined;
  /** Only sessions that authenticated as one of these. */
  readonly identity?: string | readonly string[] | undefined;
  /** Only sessions that named one of these as reverse-path or recipient: `jane@example.com`, `*@example.com`, `<>`. */
  readonly address?: string | readonly string[] | undefined;
}

const list = (problem: (entry: string) => string | undefined) => {
  const entry = v.pipe(
    v.string(),
    v.rawCheck(({ dataset, addIssue }) => {
      const message = dataset.typed ? problem(dataset.value) : undefined;
      if (message !== undefined) addIssue({ message });
    }),
  );
  return v.optional(v.union([entry, v.pipe(v.array(entry), v.minLength(1, "the list names nobody"))]));
};
const path = v.pipe(v.string(), v.nonEmpty("a path is not empty"));
const stream = v.instance(Writable);

const schema = v.strictObject({
  text: v.optional(v.union([v.boolean(), path, stream])),
  ndjson: v.optional(v.union([path, stream])),
  body: v.optional(v.picklist(["off", "headers", "all"])),
  client: list(networkProblem),
  identity: list((name) => (name === "" ? "an identity has a name" : undefined)),
  address: list(addressProblem),
});

/** Shows the whole dialogue, for people and for machines. Secrets never reach it: core hides them. */
export const debugLog = definePlugin<DebugLogOptions>({
  name: "debug-log",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  async apply(host, { text = true, ndjson, body = "off", ...filters }) {
    if (typeof text === "string" && text === ndjson) throw sameFile(text);
    const writers: ((seen: Seen) => void)[] = [];
    if (text !== false) {
      const target = text === true || text === "stderr" ? process.stderr : text === "stdout" ? process.stdout : text;
      const form = new TextForm(typeof target !== "string" && wantsColour(target));
      writers.push(await writer(host, "text", target, (seen) => form.format(seen)));
    }
    if (ndjson !== undefined) writers.push(await writer(host, "ndjson", ndjson, recordLine));
    if (writers.length === 0) return;
    const watcher = new Watcher(criteriaOf(filters), body, (seen) => {
      for (const write of writers) write(seen);
    });
    host.hooks.trace.tap({ name: "debug-log", bodies: body !== "off" }, (event) => watcher.see(event));
  },
});
export default debugLog;

const sameFile = (at: string): ConfigurationError =>
  new ConfigurationError([
    {
      code: "BAD_OPTION",
      where: "options.ndjson",
      what: `text and ndjson are both written to ${at}`,
      mend: "Give each its own file.",
    },
  ]);

type Option = "text" | "ndjson";
type Format = (seen: Seen) => string;

/** One outlet for all listeners and generations: a reload opens files anew, since they may have been rotated. */
async function writer(
  host: Host,
  option: Option,
  target: string | Writable,
  format: Format,
): Promise<(seen: Seen) => void> {
  const where = typeof target === "string" ? target : "a stream";
  const options: OutletOptions = {
    missing: (records) => format({ type: "dropped", at: host.clock.now(), session: { id: "" }, records }),
    failed: (err) => host.log.error({ err }, `debug-log cannot write ${option} to ${where}`),
  };
  try {
    let fresh = false;
    const open = (): Outlet | Promise<Outlet> => {
      fresh = true;
      return typeof target === "string" ? fileOutlet(target, options) : streamOutlet(target, options);
    };
    const outlet = await host.shared(`${option} ${keyOf(target)}`, open, (one) => one.close());
    if (!fresh) await outlet.reopen();
    return (seen) => {
      const line = format(seen);
      if (line !== "") outlet.write(line);
    };
  } catch (error) {
    throw cannotOpen(error, option, where);
  }
}

const streams = new WeakMap<Writable, number>();
let streamsSeen = 0;

function keyOf(target: string | Writable): string {
  if (typeof target === "string") return `file ${target}`;
  const number = streams.get(target) ?? ++streamsSeen;
  streams.set(target, number);
  return `stream ${number}`;
}

const mends = new Map([
  ["ENOENT", "Create its folder first."],
  ["ENOTDIR", "Part of the path is a file: use another path."],
  ["EISDIR", "It is a folder: name a file in it."],
  ["EACCES", "Let the server's user write there, or use another path."],
  ["EPERM", "Let the server's user write there, or use another path."],
  ["EROFS", "The file system is read-only: use another path."],
]);

function cannotOpen(error: unknown, option: Option, where: string): ConfigurationError {
  const what = `cannot open ${where}: ${describeError(error)}`;
  return new ConfigurationError([
    { code: "BAD_FILE", where: `options.${option}`, what, mend: mends.get(errorCode(error)) ?? "Use another path." },
  ]);
}

const entriesOf = (given: string | readonly string[]): readonly string[] =>
  typeof given === "string" ? [given] : given;

function criteriaOf({ client, identity, address }: Pick<DebugLogOptions, "client" | "identity" | "address">): Criteria {
  return {
    client: client === undefined ? undefined : makeNetworks(entriesOf(client)),
    identity: identity === undefined ? undefined : new Set(entriesOf(identity)),
    address: address === undefined ? undefined : addressTest(entriesOf(address)),
  };
}
