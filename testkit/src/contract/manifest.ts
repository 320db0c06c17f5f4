import { readFileSync } from "node:fs";
import { ConfigurationError, type PluginDefinition, mailhost } from "@mailhost/core";
import { sink } from "../sink.ts";
import type { Check } from "./check.ts";
import type { Contract } from "./about.ts";
import { silenced } from "./watched.ts";
import type { Finding } from "./report.ts";

/** What core says of a manifest: the rest belongs to options and companions. */
const codes = new Set(["BAD_MANIFEST", "CORE_VERSION", "MISSING_REQUIREMENT"]);

export const manifest: Check = {
  name: "manifest",
  mend: "Mend the definition given to definePlugin.",
  async run(contract) {
    const { definition } = await contract.plugin();
    const findings: Finding[] = [];
    for (const { code, what, mend } of await problemsOf(contract, {}))
      if (codes.has(code)) findings.push({ what, mend });
    if (contract.options.packageJson !== undefined)
      findings.push(...comparePackage(contract.options.packageJson, definition));
    return findings;
  },
};

/** What the contract looks at in a package.json. */
interface Package {
  readonly version?: string;
  readonly keywords?: readonly string[];
  readonly type?: string;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function comparePackage(path: string | URL, { version: own, core }: PluginDefinition<never>): Finding[] {
  const its: Package = JSON.parse(readFileSync(path, "utf8"));
  const findings: Finding[] = [];
  const differs = (what: string, mend: string): void => void findings.push({ what, mend });
  if (its.version !== own)
    differs(`package.json says version ${its.version}, the definition ${own}`, "Say the same version in both.");
  const peer = its.peerDependencies?.["@mailhost/core"];
  if (peer !== core)
    differs(
      `package.json wants @mailhost/core ${peer ?? "nowhere in peerDependencies"}, the definition ${core}`,
      `Set peerDependencies["@mailhost/core"] to ${JSON.stringify(core)}: npm and the server must want the same.`,
    );
  if (its.dependencies?.["@mailhost/core"] !== undefined)
    differs("package.json has @mailhost/core in dependencies", "It is the server's: name it in peerDependencies only.");
  if (its.keywords?.includes("mailhost-plugin") !== true)
    differs("package.json lacks the keyword mailhost-plugin", "Add it, so that operators find the plugin.");
  return findings;
}

const unknown = "no-such-option";

export const unknownOption: Check = {
  name: "options",
  mend: "Give definePlugin { options: { schema, keys } }: a slip in a configuration must not go unseen.",
  async run(contract) {
    const { options, definition } = await contract.plugin();
    const taken = typeof options === "object" && options !== null && Object.keys(options).length > 0;
    if (definition.options === undefined)
      return taken ? [{ what: "it takes options and checks none of them", mend: unknownOption.mend }] : [];
    const problems = await problemsOf(contract, { [unknown]: true });
    if (problems.some(({ code, where }) => code === "UNKNOWN_OPTION" && where.endsWith(unknown))) return [];
    const what = `an option it does not know is no error of the configuration`;
    return [{ what, mend: "List in options.keys what it knows, and nothing else." }];
  },
};

/** What a server with this plugin has to say of its configuration. */
async function problemsOf(contract: Contract, extra: object): Promise<ConfigurationError["problems"]> {
  const plugin = await contract.plugin(extra);
  const companions = (await contract.options.companions?.()) ?? [sink()];
  const listeners = [{ ...contract.options.listener, name: "contract", port: 0 }];
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const server = mailhost({ name: "mx.example.com", plugins: [...companions, plugin].map(silenced), listeners, log });
  try {
    await server.prepare();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  } finally {
    await contract.shut(server);
  }
}
