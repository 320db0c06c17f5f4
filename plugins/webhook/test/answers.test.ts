import { type Server, createServer } from "node:net";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { isRefusal, replyProblem } from "@mailhost/core";
import { judge, readRetryAfter } from "../src/verdict.ts";
import { type Answer, Endpoint, json, mail, memoryLog, replyTo, status } from "./kit.ts";

const answered = async (answer: Answer, more = {}): Promise<{ reply: string; tries: number; lines: string[] }> => {
  const endpoint = await Endpoint.open(answer);
  const { log, lines } = memoryLog();
  const reply = await replyTo({ url: endpoint.url, retries: 1, ...more }, endpoint, { log });
  return { reply, tries: endpoint.got.length, lines };
};

test.each([
  [200, "250 2.0.0 Ok: queued as ", 1],
  [202, "250 2.0.0 Ok: queued as ", 1],
  [301, "451 4.3.5 The message could not be handed on", 1],
  [307, "451 4.3.5 The message could not be handed on", 1],
  [400, "451 4.3.5 The message could not be handed on", 1],
  [401, "451 4.3.5 The message could not be handed on", 1],
  [404, "451 4.3.5 The message could not be handed on", 1],
  [410, "451 4.3.5 The message could not be handed on", 1],
  [406, "550 5.7.1 The message was refused", 1],
  [413, "552 5.3.4 The message is too big", 1],
  [422, "550 5.7.1 The message was refused", 1],
  [408, "451 4.3.0 The message could not be handed on", 2],
  [425, "451 4.3.0 The message could not be handed on", 2],
  [429, "451 4.3.0 The message could not be handed on", 2],
  [500, "451 4.3.0 The message could not be handed on", 2],
  [503, "451 4.3.0 The message could not be handed on", 2],
])("status %i is %s, after %i tries", async (code, expected, tries) => {
  const result = await answered(status(code));
  expect(result.reply.startsWith(expected)).toBe(true);
  expect(result.tries).toBe(tries);
  if (code >= 300) expect(result.lines.join("\n")).toContain(`was not taken: status ${code}`);
  // A fault of the configuration is somebody's to mend
  if (expected.startsWith("451 4.3.5")) expect(result.lines.join("\n")).toMatch(/^error: /m);
  // The address of the endpoint may hold a token
  expect(result.lines.join("\n")).not.toContain("t0p-s3cr3t");
});

test("which statuses refuse for good can be told", async () => {
  expect((await answered(status(404), { reject: [404] })).reply).toBe("550 5.7.1 The message was refused");
  expect((await answered(status(422), { reject: [404] })).reply).toMatch(/^451 4.3.5/);
});

test("a redirect is not followed", async () => {
  const other = await Endpoint.open();
  const { reply } = await answered((response) => void response.writeHead(308, { location: other.url }).end());
  expect(reply).toMatch(/^451 4.3.5/);
  expect(other.got).toEqual([]);
});

test.each<[number, unknown, string]>([
  [422, { reply: "550 5.1.1 No such ticket" }, "550 5.1.1 No such ticket"],
  [400, { reply: "554 Go away", more: 1 }, "554 5.0.0 Go away"],
  [404, { reply: "550" }, "550 5.0.0 Refused"],
  [503, { reply: "452 4.2.2 Mailbox full" }, "452 4.2.2 Mailbox full"],
  [422, { reply: "550 5.7.1 Grüße\r\n250 2.0.0 Ok" }, "550 5.7.1 Gr??e??250 2.0.0 Ok"],
])("with status %i the endpoint says %j in SMTP's words", async (code, body, expected) => {
  const { reply, tries } = await answered(json(code, body));
  expect(reply).toBe(expected);
  expect(tries).toBe(1);
});

test.each<[number, unknown]>([
  [422, { reply: "250 2.0.0 Ok" }],
  [422, { reply: "421 4.7.0 Bye" }],
  [422, { reply: "535 5.7.8 Who are you" }],
  [422, { reply: "550 4.1.1 Neither nor" }],
  [422, { reply: "5500 5.1.1 x" }],
  [422, { reply: 550 }],
])("with status %i, %j is no reply: the status counts, and the log says so", async (code, body) => {
  const { reply, lines } = await answered(json(code, body));
  expect(reply).toBe("550 5.7.1 The message was refused");
  expect(lines.join("\n")).toContain("its reply is none");
});

test("a reply counts in JSON alone, and never in a success or a redirect", async () => {
  const body = { reply: "550 5.1.1 No" };
  expect((await answered(json(422, body, "text/plain"))).reply).toBe("550 5.7.1 The message was refused");
  expect((await answered(json(200, body))).reply).toMatch(/^250/);
  expect((await answered(json(302, body))).reply).toMatch(/^451 4.3.5/);
  expect((await answered(json(422, body, "application/problem+json; charset=utf-8"))).reply).toBe("550 5.1.1 No");
});

/** A server that writes octets of its own and closes or not. */
async function rude(octets: string, then: "end" | "hang" | "reset"): Promise<{ url: string; requests: () => number }> {
  let requests = 0;
  const server: Server = createServer((socket) => {
    requests += 1;
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(octets);
      if (then === "end") socket.end();
      if (then === "reset") socket.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { url: `http://127.0.0.1:${port}/`, requests: () => requests };
}

test.each<[string, string, "end" | "hang" | "reset"]>([
  ["hangs", "", "hang"],
  ["hangs in its header", "HTTP/1.1 200 OK\r\nX: ", "hang"],
  ["says 100 and hangs", "HTTP/1.1 100 Continue\r\n\r\n", "hang"],
  ["closes at once", "", "end"],
  ["resets", "", "reset"],
  ["closes in the status line", "HTTP/1.1 2", "end"],
  ["answers garbage", "220 mx.example.com ESMTP\r\n", "end"],
  ["has an endless header", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}`, "hang"],
  ["upgrades", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "end"],
])("an endpoint that %s is 451", async (_what, octets, then) => {
  const endpoint = await Endpoint.open(); // the clock goes on as long as nobody asks it
  const { url, requests } = await rude(octets, then);
  const reply = await replyTo({ url, retries: 1, timeout: 5000 }, endpoint);
  expect(reply).toBe("451 4.4.1 The message could not be handed on");
  expect(requests()).toBe(2);
});

test("nobody listens: 451", async () => {
  const endpoint = await Endpoint.open();
  const { url } = endpoint;
  endpoint.close();
  expect(await replyTo({ url, retries: 1 }, endpoint)).toMatch(/^451 4.4.1/);
});

test("a refusal that is cut off counts by its status, a success too", async () => {
  const endpoint = await Endpoint.open();
  const cut = (code: number) => rude(`HTTP/1.1 ${code} X\r\nContent-Length: 100\r\n\r\n{"reply":`, "end");
  expect(await replyTo({ url: (await cut(422)).url }, endpoint)).toBe("550 5.7.1 The message was refused");
  expect(await replyTo({ url: (await cut(200)).url }, endpoint)).toMatch(/^250/);
});

test.each([200, 422])("an endless answer with status %i is read no further", async (code) => {
  let written = 0;
  const endless: Answer = (response) => {
    response.writeHead(code, { "content-type": "application/json" });
    const chunk = Buffer.alloc(1024 * 1024, "x");
    const more = (): void => {
      while (!response.destroyed && written < 1024) {
        written += 1;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  };
  const { reply } = await answered(endless);
  expect(reply).toMatch(code === 200 ? /^250/ : /^550 5.7.1/);
  expect(written).toBeLessThan(64); // megabytes, of 1024
});

test("an early no is taken before the message has been sent; an early yes is not", async () => {
  const endpoint = await Endpoint.open();
  const lines = [...mail, ...Array.from({ length: 100_000 }, () => "x".repeat(70))];
  const early = (octets: string) => rude(octets, "hang");
  const no = await early("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  expect(await replyTo({ url: no.url }, endpoint, {}, { lines })).toMatch(/^552 5.3.4/);
  // It has read one piece of seven megabytes
  const yes = await rude("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "reset");
  expect(await replyTo({ url: yes.url, retries: 0 }, endpoint, {}, { lines })).toMatch(/^451 4.4.1/);
});

test("property: whatever an endpoint answers, the client gets a reply that may be sent, and 250 for 2xx alone", () => {
  const replyText = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^[2-5][0-9]{2}( [245]\.[0-9]{1,4}\.[0-9])? .{0,900}$/s),
  );
  const body = fc.oneof(
    fc.json(),
    replyText.map((reply) => JSON.stringify({ reply })),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), body, (code, text) => {
      fc.pre(code < 200 || code > 299);
      const type = "application/json";
      const { refusal } = judge({ kind: "refused", status: code, type, retryAfter: undefined, text }, [422]);
      expect(isRefusal(refusal)).toBe(true);
      expect(refusal === undefined ? "" : replyProblem(refusal.reply)).toBeUndefined();
      expect(refusal?.close).toBe(false);
    }),
    { numRuns: 500 },
  );
});

test("Retry-After is seconds or a date, and never in the past", () => {
  const now = Date.UTC(2026, 0, 1);
  expect(readRetryAfter("120", now)).toBe(120_000);
  expect(readRetryAfter(" 5 ", now)).toBe(5000);
  expect(readRetryAfter("Thu, 01 Jan 2026 00:00:30 GMT", now)).toBe(30_000);
  for (const none of [undefined, "", "-1", "soon", "99999999999999", "Wed, 31 Dec 2025 00:00:00 GMT"])
    expect(readRetryAfter(none, now)).toBe(0);
});
