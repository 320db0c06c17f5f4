// The server of small-disk.test.ts and few-descriptors.test.ts: stores below one folder, spools in another, and prints its port.
import { mailhost } from "@mailhost/core";
import addressable from "@mailhost/plugin-addressable";
import maildir from "@mailhost/plugin-maildir";

const [root = "", spool = "", memory = ""] = process.argv.slice(2);
const quiet = (): void => {};

const server = mailhost({
  name: "mx.example.com",
  plugins: [addressable({ catchAll: true }), maildir({ root })],
  default: { local: "maildir" },
  spool,
  limits: { messageMemoryOctets: Number(memory), connections: 1000, connectionsPerClient: 1000 },
  // Every refusal is one: hundreds of them
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
});
await server.listen(0, "127.0.0.1");
process.stdout.write(`${server.addresses[0]?.port ?? 0}\n`);
