// Writes docs/hooks.md from the block of hooks in core and from the taps of the plugins here. `npm run docs`.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const target = join(root, "docs/hooks.md");

interface HookDoc {
  readonly name: string;
  readonly kind: string;
  readonly says: string;
}

function readHooks(): HookDoc[] {
  const source = readFileSync(join(root, "core/src/host/hooks.ts"), "utf8");
  const found = source.matchAll(/^ {4}\/\*\* (.+) \*\/\n {4}(\w+): (.+),$/gm);
  return [...found].map(([, says = "", name = "", made = ""]) => ({ name, says, kind: kindOf(made) }));
}

const kindOf = (made: string): string =>
  made.startsWith("new HookMap")
    ? "HookMap of AsyncSeriesBailHook"
    : made.startsWith("new SyncHook")
      ? "SyncHook"
      : "AsyncSeriesBailHook";

/** The arguments a tap gets, from the interface plugins see. */
function readArguments(name: string): string {
  const source = readFileSync(join(root, "core/src/host/hooks.ts"), "utf8");
  const [, found] = new RegExp(`readonly ${name}: Tappable<\\[([^\\]]*)\\]>`).exec(source) ?? [];
  if (name === "queue") return "delivery: Delivery, session: Session";
  if (name === "trace") return "event: TraceEvent";
  return found ?? "";
}

function usersOf(name: string): string[] {
  return readdirSync(join(root, "plugins")).filter((plugin) => {
    const folder = join(root, "plugins", plugin, "src");
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .some((file) => readFileSync(join(folder, file), "utf8").includes(`hooks.${name}`));
  });
}

export function hooksPage(): string {
  const sections = readHooks().map(({ name, kind, says }) => {
    const users = usersOf(name);
    return `## \`${name}\`

${says}

| | |
| --- | --- |
| tapable | ${kind} |
| a tap gets | \`(${readArguments(name)})\` |
| async taps get one more | ${name === "trace" ? "there are none" : "`signal: AbortSignal`: deadline, disconnect as far as seen, shutdown"} |
| failure | ${name === "trace" ? "logged, the dialogue goes on" : '451 4.3.0 for that client, the plugin\'s name in the log; `onFailure: "ignore"` goes on instead'} |
| tapped by | ${users.length === 0 ? "none of the plugins here" : users.map((user) => `[${user}](../plugins/${user}/README.md)`).join(", ")} |
`;
  });
  return `# Hooks

Written from [core/src/host/hooks.ts](../core/src/host/hooks.ts) by \`npm run docs\`; a test keeps it true.

A tap returns a refusal (\`reject\`, \`defer\`, \`disconnect\`, \`rejectWith\`) or nothing. Every yes is a call on its first argument
(\`recipient.permit\`, \`recipient.routeTo\`, \`credentials.identify\`, \`delivery.stage\`). All taps run unless one refuses; then silence is judged
as said below. What a tap did to its argument counts only if the tap settled in time without failing.
\`mailhost hooks\` prints the order in force and why.

${sections.join("\n")}`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(target, hooksPage());
