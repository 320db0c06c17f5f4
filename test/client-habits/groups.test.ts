import { addressable } from "@mailhost/plugin-addressable";
import { client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { ehlo, quietLog } from "../support/dialogue.ts";
import { SocketClient, listen } from "../support/socket.ts";

// How clients cut what they send, and how they leave.

/** Delivers to example.com alone. */
const taking = () => {
  const box = sink({ everything: false });
  return {
    box,
    options: { plugins: [box, addressable({ domains: ["example.com"] })], default: { local: "sink" }, log: quietLog },
  };
};

describe("pipelining (nodemailer, msmtp, swaks, relays)", () => {
  test("MAIL, RCPT, DATA at once; a refused RCPT amid the group; replies in order, in one write", async () => {
    const { box, options } = taking();
    const speaker = await client(options);
    await speaker.line();
    await speaker.ask("EHLO client.test");
    const before = speaker.wire.writes.length;
    speaker.send(
      [
        "MAIL FROM:<joe@example.net>",
        "RCPT TO:<jane@example.com>",
        "RCPT TO:<joe@elsewhere.test>",
        "RCPT TO:<jill@example.com>",
        "DATA",
      ].join("\r\n"),
    );
    const codes = [];
    for (let heard = 0; heard < 5; heard += 1) codes.push((await speaker.line())?.slice(0, 9));
    expect(codes).toEqual(["250 2.1.0", "250 2.1.5", "550 5.7.1", "250 2.1.5", "354 End d"]);
    expect(speaker.wire.writes).toHaveLength(before + 1);
    expect(await speaker.ask("text\r\n.")).toEqual([expect.stringMatching(/^250 2\.0\.0/)]);
    expect(box.messages[0]?.recipients).toEqual(["jane@example.com", "jill@example.com"]);
    await speaker.close();
  });

  test("DATA after none accepted gives 554, and what would have been the body is not run", async () => {
    const { box, options } = taking();
    await transcript(
      { ...options, limits: { errors: 100 } },
      `
      S: 220 *
      ${ehlo()}
      R: MAIL FROM:<joe@example.net>\\r\\nRCPT TO:<joe@elsewhere.test>\\r\\nDATA\\r\\n
      S: 250 2.1.0 *
      S: 550 5.7.1 *
      S: 554 5.5.1 *
      C: RSET
      S: 250 *
      # DATA without any transaction is out of sequence
      C: DATA
      S: 503 5.5.1 *
      C: QUIT
      S: 221 *
    `,
    );
    expect(box.messages).toEqual([]);
  });
});

test("dot and QUIT in one segment, or commands sent before the reply although nothing was offered (devices, PHP scripts)", async () => {
  const { box, options } = taking();
  await transcript(
    options,
    `
    S: 220 *
    C: HELO printer
    S: 250 *
    R: MAIL FROM:<scan@example.com>\\r\\nRCPT TO:<jane@example.com>\\r\\nDATA\\r\\n
    S: 250 2.1.0 *
    S: 250 2.1.5 *
    S: 354 *
    R: Subject: scan\\r\\n\\r\\ntext\\r\\n.\\r\\nQUIT\\r\\n
    S: 250 2.0.0 *
    S: 221 *
    S: <close>
  `,
  );
  expect(box.messages).toHaveLength(3);
});

test("a whole dialogue in one segment, before the banner", async () => {
  const { box, options } = taking();
  const { port } = await listen(options);
  const device = SocketClient.to(port);
  device.send(
    "HELO printer\r\nMAIL FROM:<scan@example.com>\r\nRCPT TO:<jane@example.com>\r\nDATA\r\nSubject: scan\r\n\r\n.\r\nQUIT\r\n",
  );
  const codes = (await device.rest()).split("\r\n").map((line) => line.slice(0, 3));
  expect(codes).toEqual(["220", "250", "250", "250", "354", "250", "221", ""]);
  expect(box.messages).toHaveLength(1);
});

const handIn = async (port: number): Promise<SocketClient> => {
  const leaving = SocketClient.to(port);
  await leaving.reply();
  for (const line of ["HELO client.test", "MAIL FROM:<joe@example.com>", "RCPT TO:<jane@example.com>", "DATA"])
    expect(await leaving.ask(line)).toMatch(/^[23]/);
  return leaving;
};

/** Says NOOP until so many messages are there: sessions that ended harm no other. */
const until = async (port: number, there: () => boolean): Promise<void> => {
  const watcher = SocketClient.to(port);
  await watcher.reply();
  while (!there()) expect(await watcher.ask("NOOP")).toMatch(/^250/);
};

describe("how clients leave", () => {
  test("QUIT, then close without reading 221 (mutt, neomutt, sendEmail)", async () => {
    const { box, options } = taking();
    const { port } = await listen({ ...options, limits: { commands: 1_000_000 } });
    for (const destroy of [true, false]) {
      const leaving = await handIn(port);
      expect(await leaving.ask("text\r\n.")).toMatch(/^250 2\.0\.0/);
      // Stored before it was answered
      expect(box.messages.splice(0)).toHaveLength(1);
      leaving.socket.write("QUIT\r\n", () => (destroy ? leaving.socket.resetAndDestroy() : leaving.socket.end()));
    }
    const impatient = await handIn(port);
    impatient.socket.end("text\r\n.\r\nQUIT\r\n");
    await until(port, () => box.messages.length === 1);
  });

  test("close without QUIT (nodemailer, emailjs)", async () => {
    const { box, options } = taking();
    const { port } = await listen({ ...options, limits: { commands: 1_000_000 } });
    const leaving = await handIn(port);
    leaving.socket.write("text\r\n.\r\n", () => leaving.socket.end());
    await until(port, () => box.messages.length === 1);
    // Half a message is none
    const broken = await handIn(port);
    broken.socket.end("text\r\n.\r");
    await broken.rest();
    const other = await handIn(port);
    expect(await other.ask("other\r\n.")).toMatch(/^250 2\.0\.0/);
    expect(box.messages.map(({ text }) => text.slice(-7))).toEqual(["text\r\n".padStart(7, "\n"), "other\r\n"]);
  });
});
