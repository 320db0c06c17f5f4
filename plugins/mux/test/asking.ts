import { type MailhostOptions, type Plugin, definePlugin, mailhost } from "@mailhost/core";
import { MemoryWire } from "@mailhost/testkit";
import { login } from "../../addressable/test/login.ts";
import { listening, way } from "./ways.ts";

/** Who asks. */
export interface Asker {
  readonly client?: string | undefined;
  /** Logs in under this name. */
  readonly user?: string | undefined;
}

/** What became of a recipient: where it would go (`to box`), or the refusal. */
export type Answer = string;

/** Tells where recipients go: `box` is local, `smarthost` relays. */
const routes = (seen: string[]): Plugin =>
  definePlugin({
    name: "routes",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.hooks.trace.tap("routes", (event) => {
        if (event.type === "route") seen.push(["to", event.transport, event.nexthop ?? ""].join(" ").trim());
      });
    },
  })();

/** Asks for each path in one transaction. Rejects with a ConfigurationError when the options are no good. */
export async function ask(
  plugins: readonly Plugin[],
  paths: readonly string[],
  { client = "192.0.2.1", user }: Asker = {},
  options: MailhostOptions = {},
): Promise<Answer[]> {
  const seen: string[] = [];
  const all = [...plugins, way("box", "local"), way("smarthost", "relay"), login(), routes(seen)];
  const limits = { errors: 1000 };
  const server = mailhost({ name: "mx.example.com", log: listening().log, limits, ...options, plugins: all });
  await server.prepare();
  const wire = new MemoryWire();
  const peer = { client: { address: client, port: 40000 }, local: { address: "192.0.2.25", port: 25 } };
  const engine = server.dialogue(wire, { peer });
  wire.attach(engine);
  const say = async (line: string): Promise<string> => {
    const heard = wire.lines.length;
    engine.receive(new TextEncoder().encode(`${line}\r\n`));
    while (wire.lines.length === heard && !wire.ended) await wire.changed(1000);
    return wire.lines.at(-1) ?? "";
  };
  engine.start();
  await say("EHLO client.test");
  if (user !== undefined) await say(`AUTH XNAME ${Buffer.from(user).toString("base64")}`);
  await say("MAIL FROM:<> SMTPUTF8");
  const answers: Answer[] = [];
  for (const path of paths) {
    const reply = await say(`RCPT TO:<${path}>`);
    answers.push(reply.startsWith("250 ") ? (seen.at(-1) ?? "to nowhere") : reply.slice(0, 9));
  }
  engine.gone("asked");
  await server.close();
  return answers;
}
