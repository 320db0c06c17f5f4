// What the waterfall costs: CPU of the server per message, without it, with it in the log, with it as spans.
// One server process per variant, rounds interleaved in a changing order, medians over rounds, ratio to "off" of the same run.
// npm run bench:waterfall [-- --rounds 15 --messages 300]
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Log, type Plugin, definePlugin, mailhost } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { maildir } from "@mailhost/plugin-maildir";
import { mux } from "@mailhost/plugin-mux";
import { waterfall } from "@mailhost/plugin-waterfall";
import { trace } from "@opentelemetry/api";
import { BasicTracerProvider, BatchSpanProcessor, InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";

/** `nothing`: a watcher that looks at nothing, which is what core itself spends on being watched. */
const variants = ["off", "nothing", "log", "spans"] as const;
type Variant = (typeof variants)[number];

/** `null`: nothing is stored, so the waterfall's share is as large as it gets. `maildir`: two files, two fsyncs. */
const transports = ["null", "maildir"] as const;
type Transport = (typeof transports)[number];

const recipients = ["jane@shop.test", "joe@shop.test", "nobody@elsewhere.test"];
const body = `Subject: bench\r\n\r\n${"A line of an ordinary letter, as long as such lines are.\r\n".repeat(40)}.\r\n`;
const letter = (text: string): string =>
  ["MAIL FROM:<a@client.test>", ...recipients.map((to) => `RCPT TO:<${to}>`), text].join("\r\n");

// -- the server, in a process of its own ---------------------------------------------------------------

const nowhere = definePlugin({
  name: "null",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({ transports: [{ kind: "local", phases: "two" }] });
    host.hooks.queue.for(host.name).tap("null", (delivery) => delivery.stage({ commit() {}, abort() {} }));
  },
});

/** What an ordinary server has besides: a judge in every hook, sync and async, and a field added. */
const judges = definePlugin({
  name: "judges",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.hooks.connect.tapPromise("names", async () => {});
    host.hooks.ehlo.tap("names", () => {});
    host.hooks.rcpt.tapPromise("greylist", async () => {});
    host.hooks.data.tap("stamp", (message) => message.addField("X-Spam", "no"));
    host.hooks.data.tapPromise("scan", async () => {});
  },
});

const idle = definePlugin({
  name: "idle",
  version: "1.0.0",
  core: "^1.0.0",
  apply: (host) => host.hooks.trace.tap("idle", () => {}),
});

const watchers: Record<Variant, () => Plugin[]> = {
  off: () => [],
  nothing: () => [idle()],
  log: () => [waterfall({ spans: false })],
  spans: () => [waterfall({ log: false, spans: true })],
};

/** JSON lines, written at once, as the command's log does. */
function jsonLog(): Log {
  const file = openSync("/dev/null", "w");
  const say = (level: string) => (fields: object, message: string) =>
    void writeSync(file, `${JSON.stringify({ level, time: Date.now(), ...fields, msg: message })}\n`);
  return { debug: () => {}, info: say("info"), warn: say("warn"), error: say("error") };
}

async function serve(variant: Variant, transport: Transport): Promise<void> {
  const exporter = new InMemorySpanExporter();
  if (variant === "spans")
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 1_000_000 })] }),
    );
  const root = mkdtempSync(join(tmpdir(), "mailhost-bench-"));
  const store = transport === "null" ? nowhere() : maildir({ root });
  const server = mailhost({
    name: "mx.shop.test",
    log: jsonLog(),
    listeners: [{ host: "127.0.0.1", port: 0 }],
    plugins: [
      addressable({ domains: ["shop.test"] }),
      mux({ routes: { "*@shop.test": transport } }),
      store,
      judges(),
      ...watchers[variant](),
    ],
  });
  await server.listen();
  process.on("message", () => {
    process.send?.(process.cpuUsage());
    exporter.reset();
  });
  process.on("disconnect", () => {
    rmSync(root, { recursive: true, force: true });
    process.exit(0);
  });
  process.send?.(server.addresses[0]?.port);
}

// -- the clients, and the sums ---------------------------------------------------------------------------

interface Serving {
  readonly variant: Variant;
  readonly child: ChildProcess;
  readonly port: number;
  readonly microseconds: number[];
}

const heard = <T,>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the server ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message as T); // what `serve` sends
    });
  });

async function start(variant: Variant, transport: Transport): Promise<Serving> {
  const child = fork(import.meta.filename, ["--serve", variant, "--transport", transport]);
  return { variant, child, port: await heard<number>(child), microseconds: [] };
}

/** One message on a connection of its own, in two pipelined groups. */
const handIn = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let text = "";
    let sent = 0;
    const socket = connect(port, "127.0.0.1");
    socket.setEncoding("latin1").on("data", (octets: string) => {
      text += octets;
      if (sent === 0 && text.startsWith("220 ")) socket.write(`EHLO client.test\r\n${letter("DATA")}\r\n`);
      else if (sent === 1 && text.includes("\r\n354 ")) socket.write(`${body}QUIT\r\n`);
      else return;
      sent += 1;
    });
    socket.on("error", reject);
    socket.on("close", () => (text.includes("250 2.0.0 Ok: queued as ") ? resolve() : reject(new Error(text))));
  });

async function cpu(child: ChildProcess): Promise<number> {
  const answer = heard<NodeJS.CpuUsage>(child);
  child.send("cpu");
  const { user, system } = await answer;
  return user + system;
}

async function round({ child, port, microseconds }: Serving, messages: number): Promise<void> {
  const before = await cpu(child);
  let left = messages;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await handIn(port);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  microseconds.push(((await cpu(child)) - before) / messages);
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

async function measure(transport: Transport, rounds: number, messages: number): Promise<void> {
  const servers = await Promise.all(variants.map((variant) => start(variant, transport)));
  try {
    const warmUp = 3;
    for (let count = 0; count < rounds + warmUp; count += 1)
      for (let turn = 0; turn < servers.length; turn += 1) {
        const server = servers[(count + turn) % servers.length];
        if (server !== undefined) await round(server, messages);
      }
    const [off] = servers;
    const base = off?.microseconds.slice(warmUp) ?? [];
    console.log(`transport ${transport}: server CPU per message, ${rounds} rounds of ${messages} messages`);
    for (const { variant, microseconds } of servers) {
      const its = microseconds.slice(warmUp);
      const ratios = its.map((one, at) => one / (base[at] ?? NaN)).toSorted((a, b) => a - b);
      const spread = [ratios[Math.floor(rounds * 0.1)], ratios[Math.ceil(rounds * 0.9) - 1]].map((one) =>
        one?.toFixed(2),
      );
      const ratio = `x${median(ratios).toFixed(2)} (80 % of rounds ${spread.join(" to ")})`;
      console.log(`  ${variant.padEnd(8)} ${median(its).toFixed(0).padStart(6)} us  ${ratio}`);
    }
  } finally {
    for (const { child } of servers) child.disconnect();
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    messages: { type: "string", default: "300" },
    serve: { type: "string" },
    transport: { type: "string" },
  },
});
const isOne = <T extends string>(all: readonly T[], name: string | undefined): name is T =>
  all.some((one) => one === name);
const { serve: variant, transport } = values;
if (isOne(variants, variant) && isOne(transports, transport)) await serve(variant, transport);
else for (const one of transports) await measure(one, Number(values.rounds), Number(values.messages));
