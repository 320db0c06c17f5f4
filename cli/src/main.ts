import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { exitCodes, UsageError } from "./exit.ts";
import { logLevels, mostWorkers, portProblem, workersProblem } from "./config/wishes.ts";

/**
 * Runs the command line and ends the process: a plugin that left a timer behind must not keep it. Commands are imported
 * when they are asked for: `start` listens in a fraction of a second because it loads nothing else.
 */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(argv);
  } catch (error) {
    process.exitCode =
      error instanceof CommanderError ? (error.exitCode === 0 ? exitCodes.fine : exitCodes.usage) : await fail(error);
  }
  process.exit();
}

async function fail(error: unknown): Promise<number> {
  const { failure } = await import("./failure.ts");
  const { code, text } = failure(error);
  process.stderr.write(text);
  return code;
}

const port = (given: string): number => {
  const problem = portProblem(given);
  if (problem !== undefined) throw new InvalidArgumentError(`${problem}: use a number from 0 to 65535.`);
  return Number(given);
};

const workers = (given: string): number => {
  const problem = workersProblem(given);
  if (problem !== undefined) throw new InvalidArgumentError(`${problem}: use a number from 1 to ${mostWorkers}.`);
  return Number(given);
};

const several = (one: string, before: readonly string[] = []): readonly string[] => [...before, one];

const configuration = (): Option =>
  new Option("-c, --config <file>", "configuration file (else the one in this folder)");

function program(): Command {
  const root = new Command("mailhost")
    .description("A mail server composed from plugins.")
    .version(ownVersion(), "-V, --version")
    .exitOverride()
    .showHelpAfterError("(see --help)")
    .showSuggestionAfterError();
  serverCommands(root);
  lookingCommands(root);
  handCommands(root);
  userCommands(root);
  authorCommands(root);
  return root;
}

function serverCommands(root: Command): void {
  root
    .command("start")
    .description("listen and serve; without a configuration a catch-all on 127.0.0.1:2525 into ./mail")
    .addOption(configuration())
    .option("--host <address>", "listen on this address (a configuration of one listener)")
    .option("--port <number>", "listen on this port (a configuration of one listener)", port)
    .option("--mail <folder>", "folder for mail, without a configuration")
    .addOption(new Option("--log-level <level>", "how much to log").choices(logLevels))
    .option("--json-logs", "log JSON on a terminal too, and no banner")
    .option("-q, --quiet", "no banner, and warnings and errors only")
    .option("--workers <number>", "serve with so many processes, which can be replaced one by one", workers)
    .option("--control <socket>", "with --workers: take orders at this socket (a path)")
    .option("--replace", "replace the workers of the server at --control by new ones with new code, and end")
    .action(async (flags) => (await import("./commands/serve.ts")).serve(flags));
  root
    .command("init")
    .description("write a mailhost.config.mts to begin with")
    .option("--domain <name>", "domain to take mail for")
    .option("--listen <address>", "port, or address:port, to take mail on")
    .option("--mail <folder>", "folder for mail")
    .option("--force", "overwrite a configuration that is there")
    .option("-y, --yes", "ask nothing")
    .action(async (flags) => (await import("./commands/init.ts")).init(flags));
}

function lookingCommands(root: Command): void {
  root
    .command("check")
    .description("find everything that is wrong with the configuration, an open relay too")
    .addOption(configuration())
    .option("--json", "for programs")
    .action(async (flags) => (await import("./commands/check.ts")).check(flags));
  root
    .command("hooks")
    .description("print every listener's hooks with their taps in order, and why")
    .addOption(configuration())
    .option("--json", "for programs")
    .action(async (flags) => (await import("./commands/hooks.ts")).hooks(flags));
  const plugins = root
    .command("plugins")
    .description("print every listener's plugins with all that their manifests say")
    .addOption(configuration())
    .option("--json", "for programs")
    .action(async (flags) => (await import("./commands/plugins.ts")).plugins(flags));
  plugins
    .command("why <name>")
    .description("print why a plugin stands where it stands")
    .addOption(configuration())
    .option("--json", "for programs")
    .action(async (name, _flags, command: Command) =>
      (await import("./commands/why.ts")).why(name, command.optsWithGlobals()),
    );
}

function handCommands(root: Command): void {
  root
    .command("try")
    .description("hold one dialogue with the configuration, without a socket; nothing is delivered")
    .addOption(configuration())
    .requiredOption("--from <address>", "reverse-path; <> for none")
    .requiredOption("--to <address>", "recipient, may stand more than once", several)
    .option("--ip <address>", "address of the client", "203.0.113.77")
    .option("--helo <name>", "name the client gives", "client.example")
    .option("--user <name>", "be this identity")
    .option("--message <file>", "message to hand in")
    .option("--listener <name>", "listener to talk to (else the first)")
    .option("--no-tls", "stay in clear although STARTTLS is offered")
    .option("--json", "for programs")
    .action(async (flags) => (await import("./commands/try.ts")).tryOut(flags));
  root
    .command("send")
    .description("send a message, to 127.0.0.1:2525 unless told otherwise, and show the dialogue")
    .option("--to <address>", "recipient, may stand more than once", several)
    .option("--from <address>", "sender; <> for none", "newcomer@client.example")
    .option("--server <host>", "server to send to", "127.0.0.1")
    .option("--port <number>", "port of the server", port, 2525)
    .option("--subject <text>", "subject", "A first message")
    .option("--body <text>", "text", "It works.")
    .option("--file <file>", "send this message as it is; - for standard input")
    .option("--user <name>", "log in; the password comes from MAILHOST_PASSWORD or is asked for")
    .addOption(new Option("--tls <how>", "secure the connection").choices(["starttls", "implicit"]))
    .option("--insecure", "take any certificate")
    .action(async (flags) => (await import("./commands/send.ts")).send(flags));
}

const usersFile = (): Option => new Option("--file <file>", "password file").default("users");
const fromStdin = (): Option => new Option("--stdin", "read the password from standard input");
const userModule = () => import("./commands/user.ts");

function userCommands(root: Command): void {
  const user = root.command("user").description("keep the password file of auth-plain");
  user
    .command("add <name>")
    .description("add a user; the password is asked for")
    .addOption(usersFile())
    .addOption(fromStdin())
    .action(async (name, flags) => (await userModule()).add(name, flags));
  user
    .command("passwd <name>")
    .description("change a password")
    .addOption(usersFile())
    .addOption(fromStdin())
    .action(async (name, flags) => (await userModule()).passwd(name, flags));
  user
    .command("rm <name>")
    .description("remove a user")
    .addOption(usersFile())
    .action(async (name, flags) => (await userModule()).remove(name, flags));
  user
    .command("list")
    .description("print the users")
    .addOption(usersFile())
    .action(async (flags) => (await userModule()).list(flags));
}

function authorCommands(root: Command): void {
  root
    .command("plugin")
    .description("write a plugin of your own")
    .command("create <name>")
    .description("write a package to begin with, in a new folder: tests, types, everything npm wants")
    .option("--js", "JavaScript instead of TypeScript; types are checked and published all the same")
    .action(async (name, flags) => (await import("./commands/plugin-create.ts")).create(name, flags, ownVersion()));
}

function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) return String(manifest.version);
  throw new UsageError("this package has no version");
}
