// What bad peers get out of mailhost, smtp-server, Haraka and Postfix, each as it is installed: no limit is changed,
// but for the row of idle connections, where mailhost's connection limits are raised (and nothing else).
// npm run bench:hostile. Memory is the growth of the peak of all its processes, read from /proc: Linux only.
import { setTimeout as sleep } from "node:timers/promises";
import { type Heard, idle, pour } from "./peers/clients.mts";
import { startHaraka, startMailhost, startSmtpServer } from "./peers/peers.mts";
import { startPostfix } from "./peers/postfix.mts";
import { forgetPeak, peak, resident } from "./peers/processes.mts";
import type { Peer } from "./peers/start.mts";

const greeting = ["EHLO client.test\r\n"];
const envelope = [...greeting, "MAIL FROM:<a@client.test>\r\n", "RCPT TO:<jane@example.com>\r\n"];
const inBody = [...envelope, "DATA\r\n"];
const mebi = 1024 * 1024;

function* repeated(piece: string, octets: number): Iterable<Uint8Array> {
  const chunk = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)), "latin1");
  for (let sent = 0; sent < octets; sent += chunk.length) yield chunk;
}

const ends = { "CR LF": "\r\n", LF: "\n", CR: "\r", "CR CR LF": "\r\r\n", "LF CR": "\n\r", "CR NUL LF": "\r\0\n" };

/** Which ends of data other than CRLF . CRLF let the commands behind them run. */
async function smuggling({ port }: Peer): Promise<string> {
  const found: string[] = [];
  let tried = 0;
  for (const [before, one] of Object.entries(ends))
    for (const [behind, other] of Object.entries(ends)) {
      const end = `${one}.${other}`;
      if (end.includes("\r\n.\r\n")) continue;
      tried += 1;
      const hidden = "MAIL FROM:<boss@example.com>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nSubject: forged\r\n\r\nx";
      const { codes } = await pour(port, inBody, [`Subject: real\r\n\r\ntext${end}${hidden}\r\n.\r\nQUIT\r\n`]);
      const behind354 = codes.slice(codes.indexOf("354") + 1);
      if (behind354.includes("354")) found.push(`${before} . ${behind}`);
    }
  return `${found.length} of ${tried}${found.length > 0 ? `: ${found.join(", ")}` : ""}`;
}

const outcome = ({ sent, codes, hungUp }: Heard, grown: number): string =>
  `${grown.toFixed(0)} MiB; ${(sent / mebi).toFixed(sent < mebi ? 2 : 0)} MiB taken; last reply ${codes.at(-1) ?? "none"}${hungUp ? ", hung up" : ""}`;

const stream =
  (opening: readonly string[], flood: () => Iterable<string | Uint8Array>, how: Parameters<typeof pour>[3] = {}) =>
  async (peer: Peer): Promise<string> => {
    await pour(peer.port, opening, ["x\r\n.\r\nQUIT\r\n"]); // what is loaded on first use is no growth
    const before = resident(peer.pid);
    forgetPeak(peer.pid);
    const heard = await pour(peer.port, opening, flood(), how);
    return outcome(heard, Math.max(0, peak(peer.pid) - before) / mebi);
  };

function* addresses(count: number): Iterable<string> {
  for (let at = 0; at < count; at += 100)
    yield Array.from({ length: 100 }, (_, of) => `RCPT TO:<u${at + of}@example.com>\r\n`).join("");
}

const count = 2_000;
async function idling(peer: Peer): Promise<string> {
  const before = resident(peer.pid);
  const held = await idle(peer.port, count);
  await sleep(1000);
  const each = (resident(peer.pid) - before) / 1024 / Math.max(1, held.answered);
  held.close();
  return `${held.answered} answered, ${each.toFixed(1)} KiB each`;
}

const rows: Record<string, (peer: Peer) => Promise<string>> = {
  "ends of data that are none, and smuggle": smuggling,
  "a line of 64 MiB without an end": stream(greeting, () => repeated("x", 64 * mebi)),
  "64 MiB of header fields": stream(inBody, () => repeated("X-Field: of no use to anybody at all\r\n", 64 * mebi)),
  "64 MiB of body": stream(inBody, () => ["Subject: x\r\n\r\n", ...repeated("a line of text\r\n", 64 * mebi), ".\r\n"]),
  "64 MiB of NOOP": stream(greeting, () => repeated("NOOP\r\n", 64 * mebi)),
  "100,000 RCPT": stream(envelope, () => addresses(100_000)),
  "an AUTH line of 10 MB": stream(greeting, () => ["AUTH PLAIN ", ...repeated("A", 10_000_000), "\r\n"]),
  "64 MiB of EHLO, replies never read": stream(greeting, () => repeated("EHLO client.test\r\n", 64 * mebi), {
    read: false,
    patience: 5_000,
  }),
  "unknown commands until it hangs up, at most 1,000": async ({ port }) => {
    const { codes, hungUp } = await pour(port, greeting, ["BOGUS\r\n".repeat(1000)], {
      quiet: 5000,
      patience: 120_000,
    });
    return `${codes.filter((code) => code.startsWith("5")).length}${hungUp ? ", hung up" : ", stayed"}`;
  },
  "an HTTP POST with a dialogue in its body": async ({ port }) => {
    const { codes } = await pour(port, [], [`POST / HTTP/1.1\r\nHost: x\r\n\r\n${envelope.join("")}DATA\r\n`]);
    return codes.includes("354") ? "run" : "refused";
  },
  "RſET (Unicode folds ſ to S)": async ({ port }) => {
    const { codes } = await pour(port, greeting, [Buffer.from("RſET\r\n")]);
    return codes.at(-1) === "250" ? "run" : "refused";
  },
  "CR in a path": async ({ port }) => {
    const { codes } = await pour(port, greeting, ["MAIL FROM:<a\rX: y@client.test>\r\n"]);
    return codes.at(-1)?.startsWith("2") === true ? "taken" : "refused";
  },
  [`${count} idle connections after EHLO`]: idling,
};

const table: string[][] = [["", ...Object.keys(rows)]];
const starters = [
  () => startMailhost("mission", { args: ["--raise-connections"] }),
  () => startSmtpServer(),
  () => startHaraka(),
  () => startPostfix(),
];
for (const start of starters) {
  const peer = await start();
  if (peer === undefined) continue;
  const column = [`${peer.name} ${peer.version}`];
  try {
    for (const [name, row] of Object.entries(rows)) {
      const said = await row(peer).catch((problem: unknown) => `failed: ${String(problem)}`);
      console.error(`${peer.name} | ${name} | ${said}`);
      column.push(said);
    }
  } finally {
    await peer.stop();
  }
  table.push(column);
}
const [names = [], ...columns] = table;
names.forEach((name, at) => {
  console.log(`| ${name} | ${columns.map((column) => column[at]).join(" | ")} |`);
  if (at === 0) console.log(`|${" --- |".repeat(columns.length + 1)}`);
});
