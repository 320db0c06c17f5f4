// Writes docs/hooks.md from the block of hooks in core and from the taps of the plugins here. `npm run docs`.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const target = join(root, "docs/hooks.md");

interface HookDoc {
  readonly name: string;
  readonly tapable: string;
  readonly when: string;
  readonly sees: string;
  /** Undefined where nothing is judged. */
  readonly silence: string | undefined;
  readonly rfc: string | undefined;
}

const source = (path: string): string => readFileSync(join(root, path), "utf8");

/** The block of hooks: each says when it is asked, what a tap sees, what silence means, and by which RFC. */
function readHooks(): HookDoc[] {
  const found = source("core/src/host/hooks.ts").matchAll(/^ {4}\/\*\* (.+) \*\/\n {4}(\w+): (.+),$/gm);
  return [...found].map(([, says = "", name = "", made = ""]) => {
    const parts =
      /^(?<when>.+?)\. Sees (?:the |an? )?(?<sees>.+?)\.(?: Silence: (?<silence>.+?)\.)?(?<rest> .*)?$/.exec(says);
    const { when, sees, silence, rest } = parts?.groups ?? {};
    if (when === undefined || sees === undefined)
      throw new Error(`hook ${name} does not say when it is asked, or what it sees`);
    const rfc = silence === undefined ? undefined : linked(rest ?? "");
    if (silence !== undefined && rfc === "") throw new Error(`hook ${name} names no RFC`);
    return { name, when, sees, silence, rfc, tapable: kindOf(made) };
  });
}

const judgeHook = "AsyncSeriesBailHook; SyncBailHook as long as every tap is sync";

const kindOf = (made: string): string =>
  made.startsWith("new HookMap") ? `HookMap of ${judgeHook}` : made.startsWith("new SyncHook") ? "SyncHook" : judgeHook;

/** `§4.2.5, §6.1.`: sections of RFC 5321 unless another is named. */
function linked(text: string): string {
  const links: string[] = [];
  for (const [, number = "5321", place] of text.matchAll(/(?:RFC (\d+))?(?:[ ,]*§([\d.]+\d))?/g)) {
    if (number === "5321" && place === undefined) continue;
    const page = `https://www.rfc-editor.org/rfc/rfc${number}`;
    links.push(
      place === undefined ? `[RFC ${number}](${page})` : `[RFC ${number} §${place}](${page}#section-${place})`,
    );
  }
  return links.join(", ");
}

/** The arguments a tap gets, from the interface plugins see. */
function readArguments(name: string): string {
  const hooks = source("core/src/host/hooks.ts");
  const [, watcher] = new RegExp(`readonly ${name}: \\{ tap\\([^,]*, watch: \\(([^)]*)\\)`).exec(hooks) ?? [];
  const [, judge] = new RegExp(`readonly ${name}: .*Tappable<\\[([^\\]]*)\\]>`).exec(hooks) ?? [];
  const found = watcher ?? judge;
  if (found === undefined) throw new Error(`no arguments are known of hook ${name}`);
  return found;
}

/** What a tap may do beside refusing. Every yes is one of these calls. */
const calls: Readonly<Record<string, string>> = {
  auth: "`credentials.identify(identity)`",
  rcpt: '`recipient.permit("local" \\| "relay")`, `recipient.routeTo({ transport, nexthop })`',
  data: "`message.addField`, `replaceField`, `removeField`, `rewriteBody`",
  queue: "`delivery.stage({ commit, abort })`, by the plugin that declared the transport",
};

const plugins = readdirSync(join(root, "plugins"));

/** The source of a plugin, all of it. */
const sourceOf = (plugin: string): string =>
  readdirSync(join(root, "plugins", plugin, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => source(join("plugins", plugin, "src", file)))
    .join("\n");

const link = (plugin: string): string => `[${plugin}](../plugins/${plugin}/README.md)`;

const listed = (users: readonly string[]): string =>
  users.length === 0 ? "none of the plugins here" : users.map(link).join(", ");

const usersOf = (name: string): string[] =>
  plugins.filter((plugin) => new RegExp(`\\bhooks\\s*\\.${name}\\b`).test(sourceOf(plugin)));

/** What a plugin may add to the language, and where core says what it is. */
const vocabulary: Readonly<Record<string, string>> = {
  verbs: "a verb",
  keywords: "an EHLO keyword",
  mailParameters: "a parameter of MAIL",
  rcptParameters: "a parameter of RCPT",
  mechanisms: "a SASL mechanism",
  transports: "a transport",
  gate: "a gate before any command",
  preamble: "a preamble before the banner",
};

const extendersOf = (part: string): string[] =>
  plugins.filter((plugin) =>
    [...sourceOf(plugin).matchAll(/\bextend\(\{([\s\S]*?)\}\);/g)].some(([, given = ""]) =>
      new RegExp(`\\b${part}\\b:`).test(given),
    ),
  );

/** A refusal at the banner closes the connection, with 421 or 554 (RFC 5321 §3.1). */
const failureOf = (name: string): string =>
  `${name === "connect" ? "421 4.3.0 and the connection closes" : "451 4.3.0"} for that client, the plugin's name in the log, what the tap did to its argument forgotten; \`onFailure: "ignore"\` goes on instead`;

function section({ name, when, sees, silence, rfc, tapable }: HookDoc): string {
  const judges = silence !== undefined;
  const rows = [
    ["when", `${when}.`],
    ["sees", `${sees}: \`(${readArguments(name)})\``],
    ["silence", silence ?? "nothing is judged: a watcher cannot change the dialogue"],
    ...(name in calls ? [["may call", calls[name]]] : []),
    ["failure", judges ? failureOf(name) : "logged once per plugin and message, the dialogue goes on"],
    ...(rfc === undefined ? [] : [["RFC", rfc]]),
    ["tapped by", listed(usersOf(name))],
    ["tapable", tapable],
    ["async taps", judges ? deadlineOf(name) : "there are none"],
  ];
  return `## \`${name}\`\n\n| | |\n| --- | --- |\n${rows.map(([key, value]) => `| ${key} | ${value} |\n`).join("")}`;
}

const deadlineOf = (name: string): string =>
  `get \`signal: AbortSignal\` last (deadline, disconnect as far as seen, shutdown); deadline \`timeouts.${name === "data" || name === "queue" ? "delivery" : "tap"}\` unless the tap says another`;

export function hooksPage(): string {
  const extensions = Object.entries(vocabulary).map(
    ([part, what]) => `| \`${part}\` | ${what} | ${listed(extendersOf(part))} |\n`,
  );
  return `# Hooks

Written from [core/src/host/hooks.ts](../core/src/host/hooks.ts) and from the plugins here by \`npm run docs\`; a test keeps it true.

A tap returns a refusal (\`reject\`, \`defer\`, \`disconnect\`, \`rejectWith\`) or nothing. Every yes is a call on its first argument.
All taps run unless one refuses; then silence is judged as said below. What a tap did to its argument counts only if the tap settled in time
without failing. \`mailhost hooks\` prints the order in force and why. How to write one: [write a plugin](write-a-plugin.md).

${readHooks().map(section).join("\n")}
## Vocabulary

What no hook is asked about: a plugin adds to the language with \`host.extend\`.

| in \`host.extend\` | what | provided by |
| --- | --- | --- |
${extensions.join("")}`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(target, hooksPage());
