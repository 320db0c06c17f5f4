import { type MailhostOptions, stuff } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { open, opened } from "../support/dialogue.ts";

const ready = `
  S: 220 *
  C: HELO client.test
  S: 250 *
  C: MAIL FROM:<jane@example.com>
  S: 250 *
  C: RCPT TO:<joe@example.com>
  S: 250 *
  C: DATA
  S: 354 *
`;

/** Holds the dialogue three ways, and gives what was stored each time, without the trace fields. */
async function stored(options: Partial<MailhostOptions>, text: string): Promise<string[]> {
  const bodies: string[] = [];
  await transcript(() => {
    const box = sink();
    const afterwards = (): void =>
      void bodies.push(...box.messages.map((one) => one.text.replace(/^Received: (?:.*\r\n[ \t])*.*\r\n/, "")));
    return { plugins: [box], ...options, afterwards };
  }, `${ready}${text}`);
  return bodies;
}

const thrice = (text: string): string[] => [text, text, text];

test("a body is stored byte for byte", async () => {
  const bodies = await stored(
    {},
    `
    C: Subject: x
    C:
    C: ..
    C: ...two
    C: text
    C: .
    S: 250 2.0.0 Ok: queued as *
  `,
  );
  expect(bodies).toEqual(thrice("Subject: x\r\n\r\n.\r\n..two\r\ntext\r\n"));
});

test("every octet but CR and LF passes as it is", async () => {
  const box = sink();
  const { say, send, hear } = await open({ plugins: [box] });
  say(...opened, "RCPT TO:<joe@example.com>", "DATA");
  await hear(10);
  const all = Buffer.from(
    Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => octet !== 13 && octet !== 10),
  );
  send(Buffer.from(stuff(all)).toString("latin1"));
  await hear(1);
  expect(box.messages[0]?.text.endsWith(`;\r\n\tThu, 01 Jan 1970\r\n`)).toBe(false);
  expect(box.messages[0]?.text.split("\r\n\r\n").slice(1).join("\r\n\r\n")).toBe(`${all.toString("latin1")}\r\n`);
});

describe("a lone CR or LF", () => {
  const smuggled = String.raw`
    R: Subject: x\r\n\r\na\n.\nMAIL FROM:<admin@example.com>\r\n.\r\n
  `;
  const refused = `${smuggled}\nS: 550 5.6.11 Bare CR or LF in the message\nC: NOOP\nS: 250 2.0.0 Ok`;
  const taken = `${smuggled}\nS: 250 2.0.0 *\nC: NOOP\nS: 250 2.0.0 Ok`;
  const mended = thrice("Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<admin@example.com>\r\n");

  test("is refused on transfer, for good, and ends no body", async () => {
    expect(await stored({}, refused)).toEqual([]);
    expect(
      await stored(
        {},
        String.raw`
      R: a\rb\r\n.\r\n
      S: 550 5.6.11 Bare CR or LF in the message
      C: MAIL FROM:<>
      S: 250 *
    `,
      ),
    ).toEqual([]);
  });

  test("is mended on submission", async () => {
    expect(await stored({ listeners: [{ port: 0, mode: "submission" }] }, taken)).toEqual(mended);
  });

  test("is mended or refused as the listener says", async () => {
    expect(await stored({ bareLineEnds: "normalize" }, taken)).toEqual(mended);
    expect(
      await stored({ bareLineEnds: "normalize", listeners: [{ port: 0, bareLineEnds: "refuse" }] }, refused),
    ).toEqual([]);
    expect(await stored({ listeners: [{ port: 0, mode: "submission", bareLineEnds: "refuse" }] }, refused)).toEqual([]);
  });

  test("is mended for named networks", async () => {
    expect(await stored({ normalizeFor: ["192.0.2.0/24"] }, taken)).toEqual(mended);
    expect(await stored({ normalizeFor: ["198.51.100.7"] }, refused)).toEqual([]);
    expect(await stored({ listeners: [{ port: 0, normalizeFor: ["192.0.2.1"] }] }, taken)).toEqual(mended);
  });
});

describe("what is too much", () => {
  const small = { limits: { messageOctets: 100 } };

  test("a message over the limit is swallowed to its end, then refused", async () => {
    expect(
      await stored(
        small,
        `
      C: ${"x".repeat(99)}
      C: RCPT TO:<jack@example.com>
      C: .
      S: 552 5.3.4 Message too big
      C: RCPT TO:<jack@example.com>
      S: 503 5.5.1 Bad sequence of commands
    `,
      ),
    ).toEqual([]);
    expect(
      await stored(
        small,
        `
      C: ${"x".repeat(98)}
      C: .
      S: 250 *
    `,
      ),
    ).toEqual(thrice(`\r\n${"x".repeat(98)}\r\n`));
  });

  test("no limit is no limit", async () => {
    expect(
      await stored(
        { limits: { messageOctets: 0 } },
        `
      C: ${"x".repeat(500)}
      C: .
      S: 250 *
    `,
      ),
    ).toHaveLength(3);
  });

  test("hops beyond a hundred are a loop", async () => {
    const hops = (count: number): string => Array.from({ length: count }, () => "C: Received: x").join("\n");
    expect(await stored({}, `${hops(101)}\nC: .\nS: 554 5.4.6 Too many hops`)).toEqual([]);
    expect(await stored({}, `${hops(100)}\nC: .\nS: 250 *`)).toHaveLength(3);
  });
});

test("a body beyond the memory goes through a file, and comes out as it was", async () => {
  const box = sink();
  const { say, hear } = await open({ plugins: [box], limits: { messageMemoryOctets: 1000 } });
  say(...opened, "RCPT TO:<joe@example.com>", "DATA");
  await hear(10);
  const line = "0123456789".repeat(7);
  for (let times = 0; times < 20; times += 1) say(...Array.from({ length: 1000 }, () => line));
  say(".");
  expect((await hear(1))[0]).toMatch(/^250 /);
  expect(box.messages[0]?.text.endsWith(`\r\n\r\n${`${line}\r\n`.repeat(20_000)}`)).toBe(true);
});

test("a body that cannot be stored is refused for now", async () => {
  const { say, hear } = await open({
    plugins: [sink()],
    limits: { messageMemoryOctets: 10 },
    spool: "/nonexistent/mailhost",
  });
  say(...opened, "RCPT TO:<joe@example.com>", "DATA");
  await hear(10);
  say("x".repeat(900_000), ".", "NOOP");
  expect(await hear(2)).toEqual(["451 4.3.0 Temporary local problem", "250 2.0.0 Ok"]);
});

test("the final dot and the next command may come together", () =>
  stored(
    {},
    String.raw`
    R: text\r\n.\r\nNOOP\r\n
    S: 250 2.0.0 Ok: queued as *
    S: 250 2.0.0 Ok
  `,
  ));

test("the same recipient said twice gets one copy", async () => {
  const box = sink();
  const { say, hear } = await open({ plugins: [box] });
  say(...opened, "RCPT TO:<joe@example.com>", "RCPT TO:<joe@EXAMPLE.com>", "RCPT TO:<Joe@example.com>", "DATA");
  await hear(12);
  say("text", ".");
  await hear(1);
  expect(box.messages[0]?.recipients).toEqual(["joe@example.com", "Joe@example.com"]);
});

test("each listener says for itself what is held in memory", async () => {
  const { say, hear } = await open({
    plugins: [sink()],
    spool: "/nowhere", // whoever needs a file gets 451
    limits: { messageMemoryOctets: 10 },
    listeners: [{ port: 0, limits: { messageMemoryOctets: 10_000 } }],
  });
  say(...opened, "RCPT TO:<joe@example.com>", "DATA");
  await hear(10);
  say("x".repeat(900), ".");
  expect((await hear(1))[0]).toMatch(/^250 2\.0\.0 /);
});
