import { type Client, client, sink } from "@mailhost/testkit";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { debugLog } from "../src/index.ts";
import { Memory, login, response, traces } from "./helpers.ts";

const secret = "Hunter2!correct-horse";
const initial = response("jane", secret);

/** Speaks, and gives everything that was written down at the most talkative level. */
async function dumpOf(speak: (speaker: Client) => void | Promise<void>, withLogin = true): Promise<string> {
  const text = new Memory();
  const ndjson = new Memory();
  const log = debugLog({ text, ndjson, body: "all" });
  const errors: string[] = [];
  const tell = (fields: object, message: string): void => void errors.push(JSON.stringify(fields), message);
  const speaker = await client({
    plugins: [sink(), ...(withLogin ? [login()] : []), log],
    limits: { authFailures: 100, errors: 100, unknownCommands: 100 },
    log: { debug: tell, info: tell, warn: tell, error: tell },
  });
  await speak(speaker);
  await new Promise((resolve) => setImmediate(resolve));
  await speaker.close();
  expect(ndjson.lines.length).toBeGreaterThan(2);
  return `${text.text}\n${ndjson.text}\n${errors.join("\n")}`;
}

const expectHidden = (dump: string, hidden = secret): void => {
  for (const trace of [...traces(hidden), response("jane", hidden)]) expect(dump).not.toContain(trace);
};

const shapes: Record<string, readonly string[]> = {
  "with initial response": [`AUTH PLAIN ${initial}`],
  "in two steps": ["AUTH PLAIN", initial],
  "in lower case": [`auth plain ${initial}`],
  "in mixed case, with blanks": [`aUtH   pLaIn    ${initial}   `],
  "with tabs": [`AUTH\tPLAIN\t${initial}`],
  "with a blank in front": [` AUTH PLAIN ${initial}`],
  "with a blank in front, in two steps": [" AUTH PLAIN", initial],
  "without its mechanism": [`AUTH ${initial}`],
  "with the password for a mechanism": [`AUTH ${secret}`],
  "without a blank": [`AUTHPLAIN ${initial}`],
  "with an equals sign": [`AUTH=PLAIN ${initial}`, `AUTH PLAIN=${initial}`],
  "with a colon": [`AUTH: PLAIN ${initial}`, `AUTH PLAIN:${initial}`],
  "by a mechanism that is not there": ["AUTH LOGIN", "amFuZQ==", Buffer.from(secret).toString("base64")],
  "by one that is not there, initially": [`AUTH XOAUTH2 ${initial}`],
  "not in base64": [`AUTH PLAIN jane ${secret}`, "AUTH PLAIN", `jane ${secret}`],
  "with broken base64": [`AUTH PLAIN ${initial}=`, "AUTH PLAIN", `${initial}=`],
  "too long": ["AUTH PLAIN", secret.repeat(2000)],
  "after a failure": [`AUTH PLAIN ${response("jane", "wrong")}`, `AUTH PLAIN ${initial}`],
  "behind a failure, as if asked for": [`AUTH PLAIN ${response("jane", "wrong")}`, initial],
  "after success": [`AUTH PLAIN ${response("jane", "tr0ub4dor")}`, `AUTH PLAIN ${initial}`, initial],
  "cancelled, then sent all the same": ["AUTH PLAIN", "*", initial],
  "amid a transaction": ["MAIL FROM:<>", `AUTH PLAIN ${initial}`, initial],
  "of another protocol": [`PASS ${secret}`, `a1 LOGIN jane ${secret}`, `AUTHORIZATION: Basic ${initial}`],
};

describe("no secret in the dump", () => {
  for (const [name, lines] of Object.entries(shapes)) {
    test(`AUTH ${name}`, async () => {
      expectHidden(
        await dumpOf(async (speaker) => {
          await speaker.ask("EHLO client.test");
          for (const line of lines) await speaker.ask(line);
        }),
      );
    });

    test(`AUTH ${name}, before EHLO, pipelined, on a server that offers none`, async () => {
      const octets = new TextEncoder().encode(lines.map((line) => `${line}\r\n`).join(""));
      expectHidden(await dumpOf((speaker) => speaker.send(octets), false));
      expectHidden(await dumpOf((speaker) => speaker.send(octets)));
    });

    test(`AUTH ${name}, with broken line ends`, async () => {
      for (const end of ["\n", "\r\r\n", "\0\r\n", "\n\r\n"])
        expectHidden(
          await dumpOf((speaker) => {
            speaker.send("EHLO client.test");
            for (const line of lines) speaker.send(new TextEncoder().encode(`${line}${end}`));
          }),
        );
    });
  }

  test("a broken AUTH line, then the credential in a whole one", async () => {
    expectHidden(
      await dumpOf((speaker) => {
        speaker.send("EHLO client.test");
        speaker.send(new TextEncoder().encode(`AUTH LOGIN\n`));
        speaker.send(Buffer.from(secret).toString("base64"));
      }),
    );
  });

  test("AUTH after STARTTLS", async () => {
    const dump = await dumpOf(async (speaker) => {
      for (const line of ["EHLO client.test", `AUTH PLAIN ${initial}`, "STARTTLS", "EHLO client.test"])
        await speaker.ask(line);
      await speaker.ask(`AUTH PLAIN ${initial}`);
    });
    expect(dump).toContain("TLS begins: TLSv1.3");
    expectHidden(dump);
  });

  test("what may be seen is seen: that AUTH was said, how, and what came of it", async () => {
    const dump = await dumpOf(async (speaker) => {
      await speaker.ask("EHLO client.test");
      await speaker.ask(`AUTH PLAIN ${response("jane", "tr0ub4dor")}`);
    });
    expect(dump).toContain("C: AUTH PLAIN ***");
    expect(dump).toContain("S: 235 2.7.0");
    expect(dump).toContain("login 1.0.0: identify jane (auth");
    expectHidden(dump, "tr0ub4dor");
  });

  test("any password, however its AUTH is written and cut", () =>
    fc.assert(
      fc.asyncProperty(
        fc.string({
          minLength: 6,
          maxLength: 40,
          unit: fc.constantFrom("a", "b", "X", "Y", "0", "1", "!", "$", "%", "&", "+", "/", "=", "?"),
        }),
        fc.constantFrom("AUTH", "auth", " AUTH", "AUTH ", "\tAuth", "AUTH:", "AUTH="),
        fc.constantFrom("PLAIN", "plain", "", "LOGIN", "PLAIN=", "CRAM-MD5"),
        fc.constantFrom(" ", "  ", "\t", "\r\n", "\n", " \r\n", "=", " =\r\n"),
        fc.boolean(),
        async (password, auth, mechanism, gap, encoded) => {
          const hidden = `pw:${password}`;
          const credential = encoded ? response("jane", hidden) : hidden;
          const dump = await dumpOf((speaker) => {
            speaker.send("EHLO client.test");
            speaker.send(`${auth} ${mechanism}${gap}${credential}`);
          });
          for (const trace of [hidden, response("jane", hidden)]) expect(dump).not.toContain(trace);
        },
      ),
      { numRuns: 150 },
    ));
});
