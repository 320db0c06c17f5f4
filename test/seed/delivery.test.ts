import { type Plugin, defer, definePlugin, reject } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { type Handler, mux } from "@mailhost/plugin-mux";
import { maildir } from "@mailhost/plugin-maildir";
import { client, sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { emptyFolder, filesBelow, quietLog, stored } from "../support/dialogue.ts";

/** Hands one message to the recipients, and checks the reply to its end. */
const handIn = (recipients: readonly string[], reply: string, body = "Subject: x"): string => `
  S: 220 *
  C: HELO client.test
  S: 250 *
  C: MAIL FROM:<joe@example.com>
  S: 250 2.1.0 *
  ${recipients.map((recipient) => `C: RCPT TO:<${recipient}>\nS: 250 2.1.5 *`).join("\n")}
  C: DATA
  S: 354 *
  C: ${body}
  C: .
  S: ${reply}
`;

describe("LF.LF never ends a body", () => {
  const text = String.raw`R: Subject: one\r\n\r\nHello\n.\nMAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<jane@example.com>\r\n`;

  test("where a lone LF is refused", () => {
    const box = sink();
    return transcript(
      { plugins: [box], afterwards: () => expect(box.messages).toEqual([]) },
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 2.1.0 *
      C: RCPT TO:<jane@example.com>
      S: 250 2.1.5 *
      C: DATA
      S: 354 *
      ${text}
      C: .
      S: 550 5.6.11 *
      C: NOOP
      S: 250 *
    `,
    );
  });

  test("where it is mended", () => {
    const box = sink();
    return transcript(
      {
        plugins: [box],
        bareLineEnds: "normalize",
        afterwards: () => {
          const [message, ...more] = box.messages.splice(0);
          expect(message?.text).toContain("Hello\r\n.\r\nMAIL FROM:<evil@elsewhere.test>\r\n");
          expect(more).toEqual([]);
        },
      },
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 2.1.0 *
      C: RCPT TO:<jane@example.com>
      S: 250 2.1.5 *
      C: DATA
      S: 354 *
      ${text}
      C: .
      S: 250 2.0.0 *
      C: NOOP
      S: 250 *
    `,
    );
  });
});

/** A local transport that refuses the first message it gets, and takes the rest. */
function moody(): Plugin & { readonly taken: string[] } {
  const taken: string[] = [];
  let tries = 0;
  const make = definePlugin({
    name: "moody",
    version: "1.0.0",
    core: "^1.0.0",
    apply(host) {
      host.extend({ transports: [{ kind: "local", phases: "two" }] });
      host.hooks.queue.for("moody").tap("moody", (delivery) => {
        tries += 1;
        if (tries === 1) return defer("Not now", { code: 451, status: "4.2.0" });
        delivery.stage({ commit: () => void taken.push(delivery.id), abort: () => {} });
        return undefined;
      });
    },
  });
  return Object.assign(make(), { taken });
}

describe("one reply for several recipients never hides a failure", () => {
  test("the last one's success does not make up for the first one's failure, and nothing is handled twice on the retry", async () => {
    const handled: string[] = [];
    const root = emptyFolder();
    const first = moody();
    const speaker = await client({
      plugins: [
        first,
        maildir({ root, fsync: false }),
        mux({
          routes: {
            "first@example.com": "moody",
            "second@example.com": "maildir",
            "last@example.com": ({ id }) => void handled.push(id),
          },
        }),
      ],
      log: quietLog,
    });
    await speaker.line();
    await speaker.ask("HELO client.test");
    const send = async () => {
      for (const line of ["MAIL FROM:<joe@example.com>", "first", "second", "last", "DATA"])
        expect(
          await speaker.ask(line.includes(":") || line === "DATA" ? line : `RCPT TO:<${line}@example.com>`),
        ).toEqual([expect.stringMatching(/^[23]5[04]/)]);
      return speaker.ask("Subject: x\r\n.");
    };
    expect(await send()).toEqual(["451 4.2.0 Not now"]);
    // Nobody has it: neither the mailbox nor the function that would have taken it
    expect([first.taken, handled, filesBelow(root)]).toEqual([[], [], []]);
    const [accepted] = await send();
    const id = /^250 2\.0\.0 Ok: queued as (\w+)$/.exec(accepted ?? "")?.[1];
    expect([first.taken, handled]).toEqual([[id], [id]]);
    expect(filesBelow(root)).toHaveLength(1);
    await speaker.close();
  });

  test("a function that fails leaves no copy in the mailboxes beside it", async () => {
    const root = emptyFolder();
    await transcript(
      () => ({
        plugins: [
          maildir({ root, fsync: false }),
          mux({
            routes: {
              "first@example.com": () => {
                throw new Error("no");
              },
              "last@example.com": "maildir",
            },
          }),
        ],
        log: quietLog,
      }),
      handIn(["first@example.com", "last@example.com"], "451 4.3.0 *"),
    );
    expect(filesBelow(root)).toEqual([]);
  });

  test("the recipients of one function are one call, and its one answer is theirs", async () => {
    const calls: string[][] = [];
    const take: Handler = ({ recipients }) => {
      calls.push(recipients.map(({ address }) => address.text));
      return reject("Closed on Sundays", { code: 554, status: "5.7.0" });
    };
    await transcript(
      () => ({ plugins: [mux({ routes: { "*@example.com": take } })], log: quietLog }),
      handIn(["a@example.com", "b@example.com", "a@example.com"], "554 5.7.0 Closed on Sundays"),
    );
    expect(calls).toEqual([...Array(3)].map(() => ["a@example.com", "b@example.com"]));
  });

  test("a recipient for a second function waits for the next transaction", () =>
    transcript(
      { plugins: [mux({ routes: { "a@example.com": () => {}, "b@example.com": () => {} } })] },
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 2.1.0 *
      C: RCPT TO:<a@example.com>
      S: 250 2.1.5 *
      C: RCPT TO:<b@example.com>
      S: 452 4.5.3 *
    `,
    ));
});

const own = (responseCode: number) => Object.assign(new Error("Mailbox is on fire"), { responseCode });
const throwing =
  (thrown: unknown): Handler =>
  () => {
    throw thrown;
  };

describe("handler errors carry their own code", () => {
  test.each<readonly [string, Handler, string]>([
    ["a refusal returned", () => reject("Go away", { code: 553, status: "5.1.8" }), "553 5.1.8 Go away"],
    ["one in a promise", async () => defer("Later", { code: 450, status: "4.2.1" }), "450 4.2.1 Later"],
    ["one thrown", throwing(reject("Go away")), "550 5.7.1 Go away"],
    ["an error with a 5yz", throwing(own(552)), "552 5.0.0 Mailbox is on fire"],
    ["an error with a 4yz", throwing(own(450)), "450 4.0.0 Mailbox is on fire"],
    ["any other error", throwing(new Error("password of the database is x")), "451 4.3.0 Temporary local problem"],
    ["a code that says success", throwing(own(250)), "451 4.3.0 Temporary local problem"],
    ["a full disk", throwing(Object.assign(new Error("full"), { code: "ENOSPC" })), "452 4.3.1 *"],
    ["nothing at all", throwing(undefined), "451 4.3.0 *"],
  ])("%s", (_what, handler, reply) =>
    transcript(
      () => ({ plugins: [mux({ routes: { "*@example.com": handler } })], log: quietLog }),
      handIn(["jane@example.com"], reply),
    ),
  );
});

describe("CRLF and dots survive byte for byte", () => {
  const lines = ["Subject: dots", "X-Dots: .", "", ".", "..", ".dot", "a.", "", "", " . ", "...."];
  const sent = lines.map((line) => (line.startsWith(".") ? `.${line}` : line)).join("\\r\\n");
  const dialogue = handIn(["jane@example.com"], "250 2.0.0 *").replace("C: Subject: x", `R: ${sent}\\r\\n`);

  test("as a function sees it", () => {
    const octets: string[] = [];
    const keep: Handler = async ({ message }) =>
      void octets.push(Buffer.from(await message.bytes()).toString("latin1"));
    return transcript(
      {
        plugins: [mux({ routes: { "*@example.com": keep } })],
        afterwards: () => {
          const content = octets.pop() ?? "";
          expect(content.slice(content.indexOf("Subject:"))).toBe(`${lines.join("\r\n")}\r\n`);
        },
      },
      dialogue,
    );
  });

  test.each([true, false])("as it lies in a Maildir, crlf: %s", async (crlf) => {
    const root = emptyFolder();
    await transcript(
      () => ({
        plugins: [addressable({ domains: ["example.com"] }), maildir({ root, crlf, fsync: false })],
        default: { local: "maildir" },
      }),
      dialogue,
    );
    const end = crlf ? "\r\n" : "\n";
    const mails = stored(root, "example.com", "jane");
    expect(mails).toHaveLength(3);
    for (const mail of mails) expect(mail.slice(mail.indexOf("Subject:"))).toBe(lines.join(end) + end);
  });
});
