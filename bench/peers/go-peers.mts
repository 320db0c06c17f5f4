// The servers in Go, compiled on first use by the `go` that is here into bench/.peers: go.mod names their versions, go.sum
// holds them to their content. Both with STARTTLS and AUTH PLAIN, as the mission has them.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { certificateIn } from "./certificate.mts";
import { type Peer, freePort, program, temporary } from "./start.mts";

const sources = join(import.meta.dirname, "go");
const compiled = join(import.meta.dirname, "../.peers/go");

const go = (...args: readonly string[]): string =>
  execFileSync("go", args, { cwd: sources, encoding: "utf8", stdio: "pipe" }).trim();

async function start(name: string, folderOfSource: string, module: string): Promise<Peer> {
  const binary = join(compiled, folderOfSource);
  go("build", "-o", binary, `./${folderOfSource}`);
  const version = go("list", "-m", "-f", "{{.Version}}", module).replace(/^v/, "");
  const folder = temporary(folderOfSource);
  const { cert, key } = await certificateIn(folder);
  const port = await freePort();
  // It is pinned to a core once it runs, and would go on to have a scheduler for each core it saw before
  const env = { ...process.env, GOMAXPROCS: "1" };
  return program({ name, version, port }, [binary, `127.0.0.1:${port}`, cert, key], { folder, env });
}

export const startGoSeed = (): Promise<Peer> => start("Go seed", "seed", "github.com/murphysean/smtp");

export const startGoSmtp = (): Promise<Peer> => start("go-smtp", "go-smtp", "github.com/emersion/go-smtp");
