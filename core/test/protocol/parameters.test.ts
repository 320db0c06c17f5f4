import { describe, expect, test } from "vitest";
import { authParameter, mailParameters, readParameters } from "../../src/protocol/parameters.ts";
import { replies } from "../../src/protocol/replies.ts";
import { parameterOctets } from "../../src/protocol/syntax.ts";

const table = new Map([...mailParameters, ["AUTH", authParameter]]);

describe("parameters of MAIL", () => {
  test.each([
    ["", {}],
    ["   ", {}],
    [" SIZE=100", { SIZE: "100" }],
    ["\tsize=100  body=8bitmime\tSMTPUTF8 ", { SIZE: "100", BODY: "8bitmime", SMTPUTF8: null }],
    [" BODY=7BIT", { BODY: "7BIT" }],
    [" AUTH=<>", { AUTH: "<>" }],
    [" AUTH=jane@example.com", { AUTH: "jane@example.com" }],
  ])("%j", (text, parameters) => {
    expect(Object.fromEntries(readParameters(text, table) as ReadonlyMap<string, string | null>)).toEqual(parameters);
  });

  test.each([
    [" SIZE", replies.badParameter],
    [" SIZE=", replies.badParameter],
    [" SIZE=-1", replies.badParameter],
    [" SIZE=1e3", replies.badParameter],
    [" SIZE=123456789012345678901", replies.badParameter],
    [" BODY=BINARY", replies.badParameter],
    [" BODY=7BITS", replies.badParameter],
    [" BODY=X8BITMIME", replies.badParameter],
    [" BODY", replies.badParameter],
    [" SMTPUTF8=yes", replies.badParameter],
    [" AUTH", replies.badParameter],
    [" SIZE=1=2", replies.badParameter],
    [" =1", replies.badParameter],
    [" -X=1", replies.badParameter],
    [" SI_ZE=1", replies.badParameter],
    [" SIZE=1\u0000", replies.badParameter],
    [" SIZE=1 size=2", replies.repeatedParameter],
    [" SMTPUTF8 smtputf8", replies.repeatedParameter],
    [" XFOO=1", replies.unknownParameter],
    [" __proto__=1", replies.badParameter],
    [" constructor=1", replies.unknownParameter],
    [" SſZE=1", replies.badParameter],
  ])("%j is refused", (text, reply) => {
    expect(readParameters(text, table)).toBe(reply);
  });

  test("are as the client wrote them: who is shown them cannot change them", () => {
    const read = readParameters(" SIZE=1 SMTPUTF8", table) as Map<string, string | null>;
    for (const change of [() => read.set("BODY", "7BIT"), () => read.delete("SIZE"), () => read.clear()])
      expect(change).toThrow("parameters are as the client wrote them: they cannot be changed");
    expect([...read]).toEqual([
      ["SIZE", "1"],
      ["SMTPUTF8", null],
    ]);
  });

  test("make the line longer that may carry them", () => {
    expect(parameterOctets(mailParameters)).toBe(26 + 16 + 10);
    expect(parameterOctets(new Map())).toBe(0);
  });
});
