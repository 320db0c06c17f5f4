import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { big, crlf, eightBit, plain } from "../support/messages.ts";
import { run } from "../support/run.ts";
import { type RealServer, belowTrace, startServer } from "../support/server.ts";
import { lacks } from "../support/tools.ts";

let server: RealServer;
let folder: string;
const samples = [plain.octets, eightBit.octets, big(2).octets];

beforeAll(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "mailhost-readers-"));
  const transport = createTransport({
    host: "localhost",
    port: server.transfer,
    ignoreTLS: true,
    pool: true,
    maxConnections: 1,
  });
  for (const octets of samples)
    await transport.sendMail({ envelope: { from: "jane@example.com", to: ["reader@example.com"] }, raw: crlf(octets) });
  transport.close();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const mailbox = (): string => join(server.root, "example.com", "reader");

/** Readers may give the messages in any order. */
function expectAll(read: readonly Buffer[]): void {
  const sizes = (list: readonly Buffer[]): string[] =>
    list.map((octets) => `${octets.length} ${createHash("sha256").update(octets).digest("hex")}`).toSorted();
  expect(sizes(read.map((octets) => belowTrace(octets)))).toEqual(sizes(samples));
}

test.skipIf(lacks("mutt") || lacks("script"))("mutt shows every message as it was sent", async () => {
  const out = join(folder, "mutt");
  mkdirSync(out);
  const rc = join(folder, "muttrc");
  const pipe = `<tag-pattern>~A<enter><tag-prefix><pipe-message>cat > $(mktemp ${out}/XXXXXX)<enter><exit>`;
  writeFileSync(
    rc,
    `set pipe_decode=no\nset pipe_split=yes\nset pipe_sep=""\nset wait_key=no\nset quit=yes\nset folder=${folder}\npush '${pipe}'\n`,
  );
  // mutt wants a terminal: script gives it one
  await run("script", ["-qec", `mutt -n -R -F ${rc} -f ${mailbox()}`, "/dev/null"], null, {
    TERM: "vt100",
    HOME: folder,
    COLUMNS: "80",
    LINES: "24",
  });
  expectAll(readdirSync(out).map((name) => readFileSync(join(out, name))));
});

test.skipIf(lacks("python3"))("Python's mailbox reads every message as it was sent", async () => {
  const out = join(folder, "python");
  mkdirSync(out);
  const program =
    "import mailbox,sys\nfor i,k in enumerate((m:=mailbox.Maildir(sys.argv[1],create=False)).keys()): open(f'{sys.argv[2]}/{i}','wb').write(m.get_bytes(k))";
  const ran = await run("python3", ["-c", program, mailbox(), out]);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expectAll(readdirSync(out).map((name) => readFileSync(join(out, name))));
});

const mayRunDovecot = process.getuid?.() === 0;

test.skipIf(!mayRunDovecot || lacks("dovecot"))(
  "Dovecot serves every message as it was sent over IMAP",
  { timeout: 60_000 },
  async () => {
    const out = join(folder, "imap");
    mkdirSync(out);
    const port = await freePort();
    const dovecot = startDovecot(port);
    try {
      await reachable(port);
      const ran = await run("python3", [join(import.meta.dirname, "imap.py"), String(port), "reader@example.com", out]);
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expectAll(readdirSync(out).map((name) => toLf(readFileSync(join(out, name)))));
    } finally {
      await stop(dovecot);
    }
  },
);

const toLf = (octets: Buffer): Buffer => Buffer.from(octets.toString("latin1").replaceAll("\r\n", "\n"), "latin1");

/** Dovecot with a static password, on one port of 127.0.0.1, over the Maildirs mailhost filled. */
function startDovecot(port: number): ChildProcess {
  const nobody = 65534;
  const base = join(folder, "dovecot");
  mkdirSync(base);
  giveTo(nobody, server.root);
  for (const path of [folder, base, join(server.root, "..")]) chmodSync(path, 0o755);
  const config = join(base, "dovecot.conf");
  writeFileSync(
    config,
    `base_dir = ${base}/run
state_dir = ${base}/state
log_path = ${base}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:${server.root}/%d/%n
first_valid_uid = ${nobody}
last_valid_uid = ${nobody}
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=${nobody} gid=${nobody} home=/nonexistent
}
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
`,
  );
  return spawn("dovecot", ["-F", "-c", config], { stdio: "ignore" });
}

function giveTo(uid: number, path: string): void {
  lchownSync(path, uid, uid);
  for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" })) lchownSync(join(path, entry), uid, uid);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function reachable(port: number): Promise<void> {
  const program = `import socket,sys,time
for _ in range(100):
    try: socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(9); sys.exit(0)
    except OSError: time.sleep(0.1)
sys.exit(1)`;
  const ran = await run("python3", ["-c", program, String(port)]);
  if (ran.code !== 0) throw new Error(`Dovecot does not answer: ${readFileSync(join(folder, "dovecot/log"), "utf8")}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}
