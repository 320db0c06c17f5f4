import { type Client, client, sink } from "@mailhost/testkit";
import { type ConfigurationError, type Session, mailhost } from "@mailhost/core";
import { describe, expect, test } from "vitest";
import { Gate, Room, addressTest } from "../src/filter.ts";
import { type DebugLogOptions, debugLog } from "../src/index.ts";
import type { Seen } from "../src/seen.ts";
import { Memory, login, response } from "./helpers.ts";

async function seen(options: DebugLogOptions, lines: readonly string[], from = "192.0.2.1"): Promise<string> {
  const text = new Memory();
  const speaker: Client = await client({ plugins: [sink(), login(), debugLog({ text, ...options })], client: from });
  await speaker.reply();
  for (const line of lines) await speaker.ask(line);
  await speaker.close();
  return text.text;
}

const mail = ["EHLO client.test", "MAIL FROM:<joe@example.com>", "RCPT TO:<Jane@Shop.Test>"];

describe("client", () => {
  test.each([
    ["192.0.2.1", true],
    ["192.0.2.0/24", true],
    ["198.51.100.0/24", false],
  ])("%s", async (wanted, shown) => {
    expect((await seen({ client: wanted }, mail)).includes("C: EHLO")).toBe(shown);
    expect((await seen({ client: ["2001:db8::/32", wanted] }, mail)).includes("connected")).toBe(shown);
  });
});

describe("address, known only later: the session is shown from its beginning", () => {
  test.each([
    ["jane@shop.test", true],
    ["JANE@SHOP.test", true],
    ["joe@example.com", true],
    ["*@shop.test", true],
    ["jim@shop.test", false],
    ["<>", false],
  ])("%s", async (address, shown) => {
    const text = await seen({ address }, mail);
    expect(text.includes("C: EHLO client.test")).toBe(shown);
    expect(text.includes("-- closed")).toBe(shown);
    if (!shown) expect(text).toBe("");
  });

  test("a refused recipient counts: that is what one looks for", async () => {
    expect(await seen({ address: "jane@shop.test" }, ["HELO c", "RCPT TO:<jane@shop.test>"])).toContain("S: 503");
  });

  test("the null reverse-path, quotes, source routes, missing brackets", async () => {
    expect(await seen({ address: "<>" }, ["HELO c", "MAIL FROM:<>"])).toContain("C: MAIL");
    for (const path of [
      '<"jane"@shop.test>',
      "<@relay.test:jane@shop.test>",
      "jane@shop.test",
      " <jane@shop.test> X=<y>",
    ])
      expect(await seen({ address: "jane@shop.test" }, ["HELO c", `MAIL FROM:${path}`])).toContain("C: MAIL");
    const internal = addressTest(["*@bücher.test"]);
    expect(internal("a@xn--bcher-kva.test")).toBe(true);
  });
});

describe("identity", () => {
  const auth = ["EHLO client.test", `AUTH PLAIN ${response("jane", "tr0ub4dor")}`];

  test("known only after AUTH", async () => {
    const text = await seen({ identity: "jane" }, auth);
    expect(text).toContain("connected");
    expect(text).toContain("S: 235");
    expect(await seen({ identity: ["joe"] }, auth)).toBe("");
  });

  test("all filters must hold", async () => {
    const lines = [...auth, "MAIL FROM:<joe@example.com>"];
    expect(await seen({ identity: "jane", address: "joe@example.com" }, lines)).toContain("C: MAIL");
    expect(await seen({ identity: "jane", address: "jim@example.com" }, lines)).toBe("");
    expect(await seen({ identity: "jane", client: "198.51.100.1" }, lines)).toBe("");
  });
});

const session = { id: "S1", client: { address: "192.0.2.1", port: 1 }, identity: undefined } as Session;
const said = (line: string): Extract<Seen, { type: "client" }> => ({
  type: "client",
  at: 0,
  session,
  line,
  secret: false,
});

describe("what is held back is bounded", () => {
  test("the oldest go, the first stays, and they are counted", () => {
    const room = new Room({ session: 3000, all: 1_000_000 });
    const gate = new Gate({ address: addressTest(["jane@shop.test"]) }, room);
    gate.admit({ type: "server", at: 0, session, line: "220 first", secret: false });
    for (let count = 0; count < 1000; count += 1) expect(gate.admit(said(`NOOP ${count}`))).toEqual([]);
    expect(room.held).toBeLessThanOrEqual(3000);
    const shown = gate.admit(said("MAIL FROM:<jane@shop.test>"));
    expect(shown[0]).toMatchObject({ line: "220 first" });
    expect(shown[1]).toMatchObject({ type: "dropped", session: { id: "S1" }, records: 1002 - (shown.length - 1) });
    expect(shown.at(-2)).toMatchObject({ line: "NOOP 999" });
    expect(room.held).toBe(0);
    expect(gate.admit(said("RSET"))).toHaveLength(1);
  });

  test("a thousand sessions together stay in one room, and give it back", () => {
    const room = new Room({ session: 100_000, all: 200_000 });
    const gates = Array.from({ length: 1000 }, () => new Gate({ identity: new Set(["jane"]) }, room));
    for (let count = 0; count < 20; count += 1) for (const gate of gates) gate.admit(said("NOOP"));
    expect(room.held).toBeLessThanOrEqual(1000 * 2 * 310);
    for (const gate of gates) gate.close();
    expect(room.held).toBe(0);
    expect(gates[0]?.admit(said("NOOP"))).toEqual([]);
  });
});

test.each([
  [{ client: "192.0.2.300" }, "client"],
  [{ address: "jane" }, "address"],
  [{ address: ["a@b.test", "*@"] }, "address"],
  [{ identity: "" }, "identity"],
  [{ client: [] }, "client"],
  [{ body: "some" }, "body"],
  [{ ndjson: "" }, "ndjson"],
  [{ txt: true }, "txt"],
])("a bad option is a start-up error: %j", async (options, where) => {
  const server = mailhost({ name: "mx.example.com", plugins: [sink(), debugLog(options as DebugLogOptions)] });
  const error: ConfigurationError = await server.prepare().then(
    () => expect.unreachable(),
    (reason: ConfigurationError) => reason,
  );
  expect(error.problems).toHaveLength(1);
  expect(error.problems[0]?.where).toContain(`plugins[1].options.${where}`);
});
