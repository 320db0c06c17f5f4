// What single steps cost: grammar, framing, hooks, body. Clocks lie on a busy machine: to compare two of one run.
// npm run bench:micro [-- NAME]
import { mailhost, type Plugin, definePlugin } from "@mailhost/core";
import { Bench } from "tinybench";
import { DotReader } from "../core/src/protocol/body.ts";
import { Input } from "../core/src/protocol/lines.ts";
import { mailParameters, readParameters } from "../core/src/protocol/parameters.ts";
import { readForwardPath } from "../core/src/protocol/path.ts";
import { encodeReply } from "../core/src/protocol/reply.ts";

const octetsOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const hundred = Array.from({ length: 100 }, (_, at) => `RCPT TO:<u${at}@example.com>\r\n`).join("");
const letter = octetsOf(`Subject: bench\r\n\r\n${`${"x".repeat(74)}\r\n`.repeat(53)}.\r\n`);
const stuffed = octetsOf(`${`..${"x".repeat(72)}\r\n`.repeat(862)}.\r\n`);

const nowhere = definePlugin({
  name: "nowhere",
  version: "1.0.0",
  core: "^1.0.0",
  apply: (host) => host.extend({ transports: [{ kind: "local", phases: "two" }] }),
});

const silent = (count: number): Plugin[] =>
  Array.from({ length: count }, (_, at) =>
    definePlugin({
      name: `silent-${at}`,
      version: "1.0.0",
      core: "^1.0.0",
      apply: ({ hooks }) => hooks.rcpt.tap("silent", () => {}),
    })(),
  );

/** A hundred recipients, each judged by so many taps that say nothing, and refused. */
async function judgedBy(taps: number): Promise<() => void> {
  const server = mailhost({
    name: "mx.example.com",
    limits: { commands: 1e15, transactions: 1e15 },
    plugins: [...silent(taps), nowhere()],
  });
  await server.prepare();
  const engine = server.dialogue({ write: () => true, end() {}, pause() {}, resume() {}, upgrade() {} });
  engine.start();
  engine.receive(octetsOf("EHLO client.test\r\n"));
  const group = octetsOf(`RSET\r\nMAIL FROM:<>\r\n${hundred}`);
  return () => engine.receive(group);
}

const bench = new Bench({ name: "micro", time: 300 });
const only = process.argv[2] ?? "";
const add = (name: string, step: () => void, wait?: () => Promise<void>): void => {
  if (name.includes(only)) bench.add(name, wait === undefined ? step : async () => (step(), wait()));
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

add("grammar: a forward-path", () => void readForwardPath("<user@example.com>"));
add("grammar: three parameters", () => void readParameters(" SIZE=4096 BODY=8BITMIME SMTPUTF8", mailParameters));
add(
  "reply: one of its own",
  () => void encodeReply({ code: 250, status: "2.0.0", text: "Ok: queued as MBJX0A1B2C3D4E5F" }),
);
add("framing: a hundred lines", () => {
  const input = new Input();
  input.push(octetsOf(hundred));
  while (input.line(512) !== undefined);
});
add("body: 4 KiB", () => void new DotReader("refuse").push(letter, () => {}));
add("body: 64 KiB, every line dot-stuffed", () => void new DotReader("refuse").push(stuffed, () => {}));
for (const taps of [0, 5, 6]) add(`hooks: a hundred recipients, ${taps} taps`, await judgedBy(taps), turn);

await bench.run();
console.table(bench.table());
