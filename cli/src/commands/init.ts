import { existsSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { canonicalDomain } from "@mailhost/core";
import { searchPlaces } from "../config/find.ts";
import { describeError } from "../config/problem.ts";
import { portProblem } from "../config/wishes.ts";
import { RunTimeError, UsageError } from "../exit.ts";

export interface InitFlags {
  readonly domain?: string;
  readonly listen?: string;
  readonly mail?: string;
  readonly force?: true;
  readonly yes?: true;
}

const file = "mailhost.config.mts";
const defaults = { domain: "example.com", listen: "127.0.0.1:2525", mail: "./mail" };

/** `mailhost init`: writes a configuration that works, with what one will want to change beside it. */
export async function init(flags: InitFlags): Promise<void> {
  const there = searchPlaces.find((place) => place !== "package.json" && existsSync(place));
  if (there !== undefined && flags.force !== true)
    throw new RunTimeError(`${there} is there already; --force overwrites ${file}`);
  const answers = flags.yes === true || !process.stdin.isTTY ? { ...defaults, ...flags } : await ask(flags);
  const problem = domainProblem(answers.domain) ?? listenProblem(answers.listen);
  if (problem !== undefined) throw new UsageError(problem);
  try {
    writeFileSync(file, template(answers), { flag: flags.force === true ? "w" : "wx" });
  } catch (error) {
    throw new RunTimeError(`${file} cannot be written: ${describeError(error)}`);
  }
  console.log(`wrote ${file}\n\n  npx mailhost check\n  npx mailhost start`);
}

async function ask(flags: InitFlags): Promise<typeof defaults> {
  const { isCancel, text } = await import("@clack/prompts");
  const answer = async (message: string, key: keyof typeof defaults, check: (given: string) => string | undefined) => {
    const given = flags[key];
    if (given !== undefined) return given;
    const reply = await text({
      message,
      placeholder: defaults[key],
      defaultValue: defaults[key],
      validate: (typed) => (typed === undefined || typed === "" ? undefined : check(typed)),
    });
    if (isCancel(reply)) throw new RunTimeError("cancelled; nothing was written");
    return reply;
  };
  return {
    domain: await answer("Domain to take mail for", "domain", domainProblem),
    listen: await answer("Port, or address:port, to take mail on", "listen", listenProblem),
    mail: await answer("Folder for mail", "mail", () => undefined),
  };
}

const domainProblem = (given: string): string | undefined =>
  canonicalDomain(given) === undefined ? `${JSON.stringify(given)} is no domain like example.com` : undefined;

function listenProblem(given: string): string | undefined {
  const { host, port } = split(given);
  if (host !== undefined && isIP(host) === 0) return `${JSON.stringify(host)} is no address to listen on`;
  return portProblem(port);
}

function split(listen: string): { host: string | undefined; port: string } {
  const [, literal, host, port = listen] = /^(?:\[([^\]]*)\]:|([^:]*):)(.*)$/.exec(listen) ?? [];
  return { host: literal ?? host, port };
}

// Names, not imports: the file works wherever the command does, installed beside it or not
function template({ domain, listen, mail }: typeof defaults): string {
  const { host, port } = split(listen);
  const at = host === undefined ? `port: ${port}` : `host: ${JSON.stringify(host)}, port: ${port}`;
  const name = canonicalDomain(domain) ?? domain;
  return `import type { Config } from "mailhost";

// What may stand here: node_modules/mailhost/README.md. After a change: npx mailhost check
export default {
  // The name in the greeting; for a server in the internet the one that its address points back to.
  name: ${JSON.stringify(`mx.${name}`)},

  listeners: [
    { ${at} },
    // For programs that hand in mail, once there is a certificate and a user (npx mailhost user add jane):
    // {
    //   port: 587,
    //   mode: "submission",
    //   plugins: [["auth-plain", { users: "./users" }]],
    // },
  ],

  // Relative paths start from the folder of this file.
  plugins: [
    // ["starttls", { cert: "./fullchain.pem", key: "./privkey.pem" }],

    // Who may send to whom: mail for these domains, from everybody.
    ["addressable", { domains: [${JSON.stringify(name)}] }],

    // Where it goes.
    ["mux", { routes: { ${JSON.stringify(`*@${name}`)}: "maildir" } }],
    ["maildir", { root: ${JSON.stringify(mail)} }],

    // A plugin of your own: "./my-plugin.mts",
  ],

  // Mail for a domain of ours that no route names (postmaster at the server's own name).
  default: { local: "maildir" },
} satisfies Config;
`;
}
