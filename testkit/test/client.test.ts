import { ConfigurationError, mailhost } from "@mailhost/core";
import { describe, expect, test } from "vitest";
import { Client, MemoryWire, client, sink } from "../src/index.ts";

describe("a client", () => {
  test("asks and reads replies of one line or many", async () => {
    const speaker = await client({ plugins: [sink()] });
    expect(await speaker.reply()).toEqual(["220 mx.example.com ESMTP"]);
    expect(await speaker.ask("EHLO client.test")).toHaveLength(6);
    speaker.send("NOOP");
    speaker.send(new TextEncoder().encode("RSET\r\nQU"));
    speaker.send(new TextEncoder().encode("IT\r\n"));
    expect([await speaker.line(), await speaker.line()]).toEqual(["250 2.0.0 Ok", "250 2.0.0 Ok"]);
    expect(await speaker.reply()).toEqual(["221 2.0.0 Bye"]);
    expect(await speaker.closed()).toBe(true);
    expect(await speaker.line()).toBeUndefined();
    await speaker.close();
  });

  test("is told when no reply comes", async () => {
    const speaker = await client({ plugins: [sink()], patience: 20 });
    await speaker.reply();
    await expect(speaker.reply()).rejects.toThrow("no reply within 20 ms; it said so far: 220 mx.example.com ESMTP");
    expect(await speaker.closed()).toBe(false);
    expect(await speaker.heard(2)).toBe(false);
    await speaker.ask("QUIT");
    await expect(speaker.ask("NOOP")).rejects.toThrow("the server closed");
    await speaker.close();
  });

  test("delivers to a sink", async () => {
    const box = sink();
    const speaker = await client({ plugins: [box] });
    await speaker.reply();
    for (const line of ["HELO c", "MAIL FROM:<joe@example.com>", "RCPT TO:<jane@example.com>", "DATA"])
      await speaker.ask(line);
    speaker.send("Subject: hello\r\n\r\n..dots");
    expect(await speaker.ask(".")).toEqual([expect.stringMatching(/^250 2\.0\.0 Ok: queued as /)]);
    expect(box.messages).toHaveLength(1);
    expect(box.messages[0]).toMatchObject({ reversePath: "joe@example.com", recipients: ["jane@example.com"] });
    expect(box.messages[0]?.text).toMatch(/^Return-Path|^Received: /);
    expect(box.messages[0]?.text.endsWith("Subject: hello\r\n\r\n.dots\r\n")).toBe(true);
    await speaker.close();
  });

  test("that leaves amid a message delivers nothing", async () => {
    const box = sink();
    const speaker = await client({ plugins: [box] });
    for (const line of ["HELO c", "MAIL FROM:<>", "RCPT TO:<jane@example.com>", "DATA", "Subject: half"])
      speaker.send(line);
    await speaker.heard(5);
    speaker.hangUp();
    await speaker.close();
    expect(box.messages).toEqual([]);
  });

  test("several may speak with one server", async () => {
    const server = await mailhost({ name: "mx.example.com", plugins: [sink()] }).prepare();
    const [one, two] = [new Client(server), new Client(server, { client: "198.51.100.7" })];
    await one.reply();
    await two.reply();
    expect((await one.ask("EHLO c"))[0]).toContain("greets 192.0.2.1");
    expect((await two.ask("EHLO c"))[0]).toContain("greets 198.51.100.7");
    one.hangUp();
    await two.close();
  });

  test("is not made for a configuration that cannot be", async () => {
    await expect(client({ plugins: [] })).rejects.toBeInstanceOf(ConfigurationError);
  });
});

describe("a sink", () => {
  test("may leave the rules to others: then nobody permits", async () => {
    const speaker = await client({ plugins: [sink({ everything: false })] });
    await speaker.reply();
    for (const line of ["HELO c", "MAIL FROM:<>"]) await speaker.ask(line);
    expect(await speaker.ask("RCPT TO:<jane@example.com>")).toEqual([expect.stringMatching(/^550 5\.7\.1 /)]);
    await speaker.close();
  });
});

describe("a wire in memory", () => {
  test("keeps each write, and lines however they were cut", () => {
    const wire = new MemoryWire();
    for (const text of ["220 a\r\n250", "-b\r", "\n250 c\r\n"]) wire.write(new TextEncoder().encode(text));
    expect(wire.lines).toEqual(["220 a", "250-b", "250 c"]);
    expect(wire.writes).toHaveLength(3);
  });

  test("a pipelined group is answered in one write", async () => {
    const speaker = await client({ plugins: [sink()] });
    await speaker.ask("HELO c");
    const before = speaker.wire.writes.length;
    speaker.send("MAIL FROM:<>\r\nRCPT TO:<jane@example.com>\r\nDATA");
    expect(speaker.wire.writes.slice(before)).toHaveLength(1);
    await speaker.close();
  });

  test("plays a client that does not read: the server reads no more", async () => {
    const speaker = await client({ plugins: [sink()] });
    await speaker.reply();
    speaker.wire.reads = false;
    speaker.send("NOOP\r\nNOOP\r\nNOOP");
    expect(speaker.wire.paused).toBe(true);
    await speaker.close();
  });
});
