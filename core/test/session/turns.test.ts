import { sink } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { open, opened, plugin, turn } from "../support/dialogue.ts";

const helos = (count: number): string[] => Array.from({ length: count }, () => "NOOP");

test("a flood of commands is answered a turn at a time, and read no faster meanwhile", async () => {
  const { say, hear, wire } = await open({ plugins: [sink()] });
  await hear(1);
  say(...helos(1000));
  const first = wire.lines.length;
  expect(first).toBeGreaterThan(100); // a group of a hundred recipients is one turn
  expect(first).toBeLessThan(200);
  expect(wire.paused).toBe(true);
  say("QUIT"); // nor does it get another turn by sending more
  expect(wire.lines).toHaveLength(first);
  expect(await hear(1001)).toHaveLength(1001);
  expect(wire.lines.at(-1)).toMatch(/^221 /);
});

test("each turn of the event loop begins a new group: none is answered in two writes", async () => {
  const { say, hear, wire } = await open({ plugins: [sink()] });
  const hundred = Array.from({ length: 100 }, (_, at) => `RCPT TO:<box${at}@example.com>`);
  for (let times = 0; times < 3; times += 1) {
    await hear();
    const before = wire.writes.length;
    say(...opened.slice(times === 0 ? 0 : 1), ...hundred, "NOOP");
    const ehlo = times === 0 ? 1 : 0; // EHLO ends a group
    expect(wire.writes).toHaveLength(before + 1 + ehlo);
    await turn();
    say("RSET");
  }
});

test("a client that closes its half behind a flood is answered to the end", async () => {
  const { say, hear, engine, wire } = await open({ plugins: [sink()] });
  await hear(1);
  say(...helos(300));
  engine.ended();
  expect(await hear(300)).toHaveLength(300);
  await turn();
  expect(wire.ended).toBe(true);
});

test("a server that closes lets a flood have its turns", async () => {
  const { say, hear, engine } = await open({ plugins: [sink()] });
  await hear(1);
  say(...helos(300));
  engine.drain();
  const heard = await hear(301);
  expect(heard.at(-1)).toMatch(/^421 4\.3\.2/);
  expect(heard).toHaveLength(301);
});

test("octets are lent: the wire may use their memory again", async () => {
  const box = sink();
  const seen: string[] = [];
  const watch = plugin("watch", ({ hooks }) =>
    hooks.trace.tap("watch", (event) => {
      if (event.type === "body") queueMicrotask(() => seen.push(Buffer.from(event.octets).toString()));
    }),
  );
  const { engine, hear } = await open({ plugins: [box, watch] });
  await hear(1);
  const send = (text: string): void => {
    const lent = Buffer.from(text);
    engine.receive(lent);
    lent.fill(0);
  };
  for (const text of [
    "NO",
    "OP\r\nNOO",
    "P\r\nEHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.com>\r\nDA",
    "TA\r\n",
  ])
    send(text);
  await turn();
  const long = "x".repeat(5000);
  for (const text of ["Subject: x\r\n\r\n", `${long}\r\n`, "text\r\n.\r\nNO", "OP\r\n"]) send(text);
  await hear(12);
  expect(box.messages[0]?.text).toContain(`Subject: x\r\n\r\n${long}\r\ntext\r\n`);
  expect(seen.join("")).toBe(`Subject: x\r\n\r\n${long}\r\ntext\r\n.\r\n`);
});
