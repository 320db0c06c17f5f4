import { describe, expect, test } from "vitest";
import { replies } from "../../src/protocol/replies.ts";
import type { Outcome } from "../../src/protocol/machine.ts";
import type { Parameters, ParameterTable } from "../../src/protocol/parameters.ts";
import {
  anything,
  authArgument,
  ehloName,
  forwardPath,
  heloName,
  isPostmaster,
  nothing,
  parameterOctets,
  reversePath,
  serverDomain,
  something,
} from "../../src/protocol/syntax.ts";
import { contextOf, session } from "../support/rows.ts";

describe("an argument", () => {
  test("is none, any, or some", () => {
    expect(nothing("")).toStrictEqual({ value: undefined });
    expect(nothing("x")).toEqual({ problem: replies.noArgument });
    expect(anything("")).toEqual({ value: "" });
    expect(anything("x y")).toEqual({ value: "x y" });
    expect(something("x y")).toEqual({ value: "x y" });
    expect(something("")).toEqual({ problem: replies.needsArgument });
  });

  test.each(["client.test", "[IPv6:::1]", "-", "x".repeat(255)])("of a greeting is any token: %s", (name) => {
    expect(ehloName(name)).toEqual({ value: { name, extended: true } });
    expect(heloName(name)).toEqual({ value: { name, extended: false } });
  });

  test.each(["", "client test", "client\ttest", "x".repeat(256)])("of a greeting is not %j", (name) => {
    expect(ehloName(name)).toEqual({ problem: replies.badGreeting });
    expect(heloName(name)).toEqual({ problem: replies.badGreeting });
  });

  test("a greeting cannot be changed by who is shown it", () => {
    const read = ehloName("client.test");
    expect("value" in read && Object.isFrozen(read.value)).toBe(true);
  });
});

/** What was read, its parameters as any Map. */
const shown = <T extends { readonly parameters: Parameters }>(read: Outcome<T>): Outcome<T> =>
  "value" in read ? { value: { ...read.value, parameters: new Map(read.value.parameters) } } : read;

describe("MAIL", () => {
  const mail = (argument: string, messageOctets = 1000) => shown(reversePath(argument, contextOf({ messageOctets })));

  test.each(["FROM:<>", "from:<>", "From: <>"])("%s is the null reverse-path", (argument) => {
    expect(mail(argument)).toEqual({ value: { reversePath: null, parameters: new Map() } });
  });

  test("is read with its parameters", () => {
    expect(mail("FROM:<jane@example.com> SIZE=10 BODY=8BITMIME")).toMatchObject({
      value: {
        reversePath: { text: "jane@example.com" },
        parameters: new Map([
          ["SIZE", "10"],
          ["BODY", "8BITMIME"],
        ]),
      },
    });
  });

  test.each([
    ["", replies.badMail],
    ["<jane@example.com>", replies.badMail],
    ["TO:<jane@example.com>", replies.badMail],
    ["xFROM:<jane@example.com>", replies.badMail],
    ["FROM :<jane@example.com>", replies.badMail],
    ["<jane@example.com> FROM:", replies.badMail],
    ["<from:jane@example.com>", replies.badMail],
    ["FROM:", replies.badReversePath],
    ["from:<jane>", replies.badReversePath],
    ["FROM:<> XFOO", replies.unknownParameter],
    ["FROM:<jürgen@example.com>", replies.needsSmtputf8Sender],
    ["FROM:<jürgen@example.com> SIZE=2000", replies.needsSmtputf8Sender],
  ])("%j is refused", (argument, problem) => {
    expect(mail(argument)).toEqual({ problem });
  });

  test("beyond ASCII says SMTPUTF8; the null reverse-path needs nothing (RFC 6531 §3.5)", () => {
    expect(mail("FROM:<jürgen@example.com> SMTPUTF8")).toMatchObject({
      value: { reversePath: { localPart: "jürgen" } },
    });
    expect(mail("FROM:<> SMTPUTF8")).toMatchObject({ value: { reversePath: null } });
  });

  test("is refused where the declared size is over the limit, not at it (RFC 1870 §6.1)", () => {
    expect(mail("FROM:<> SIZE=1000")).toHaveProperty("value");
    expect(mail("FROM:<> SIZE=1001")).toEqual({ problem: replies.tooBig });
    expect(mail("FROM:<> SIZE=1001", 0)).toHaveProperty("value"); // no limit
    expect(mail("FROM:<> SIZE=1", 1)).toHaveProperty("value");
    expect(mail("FROM:<> SIZE=2", 1)).toEqual({ problem: replies.tooBig });
  });
});

describe("RCPT", () => {
  const table: ParameterTable = new Map([["XFOO", { octets: 10, problem: () => undefined }]]);
  const rcpt = (argument: string) => shown(forwardPath(argument, contextOf({ rcptParameters: table })));

  test.each(["TO:<joe@example.com> XFOO=1", "to:<joe@example.com> xfoo=1", "To: joe@example.com XFOO=1"])(
    "%s is read with its parameters",
    (argument) => {
      expect(rcpt(argument)).toMatchObject({
        value: { address: { text: "joe@example.com" }, parameters: new Map([["XFOO", "1"]]) },
      });
    },
  );

  test.each([
    ["", replies.badRcpt],
    ["<joe@example.com>", replies.badRcpt],
    ["FROM:<joe@example.com>", replies.badRcpt],
    ["xTO:<joe@example.com>", replies.badRcpt],
    ["<to:joe@example.com>", replies.badRcpt],
    ["TO:", replies.badForwardPath],
    ["to:<>", replies.badForwardPath],
    ["TO:<joe@example.com> XBAR", replies.unknownParameter],
    ["TO:<joe@example.com> SIZE=1", replies.unknownParameter],
  ])("%j is refused", (argument, problem) => {
    expect(rcpt(argument)).toEqual({ problem });
  });

  test("the postmaster without a domain is this server's (RFC 5321 §4.5.1)", () => {
    const read = rcpt("TO:<Postmaster>");
    expect(read).toEqual({
      value: {
        address: { localPart: "postmaster", domain: "mx.example.com", text: "Postmaster" },
        parameters: new Map(),
      },
    });
    expect("value" in read && Object.isFrozen(read.value.address)).toBe(true);
    expect(rcpt("TO:<postmaster@example.com>")).toMatchObject({ value: { address: { domain: "example.com" } } });
  });
});

describe("AUTH", () => {
  test.each([
    ["plain", { mechanism: "PLAIN", initial: undefined }],
    ["PLAIN =", { mechanism: "PLAIN", initial: "=" }],
    ["xſ AAAA", { mechanism: "Xſ", initial: "AAAA" }],
    ["PLAIN   AAAA", { mechanism: "PLAIN", initial: "AAAA" }],
  ])("%j is a mechanism, and what was sent with it", (argument, value) => {
    expect(authArgument(argument)).toEqual({ value });
  });

  test.each([
    ["", replies.needsArgument],
    [" PLAIN", replies.needsArgument],
    ["PLAIN AAAA AAAA", replies.badBase64],
    ["PLAIN AAAA BBBB CCCC", replies.badBase64],
  ])("%j is refused", (argument, problem) => {
    expect(authArgument(argument)).toEqual({ problem });
  });
});

describe("the server's own name", () => {
  test.each([
    ["MX.Example.COM", "mx.example.com"],
    ["[192.0.2.25]", "[192.0.2.25]"],
    ["[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["not a domain", "not a domain"],
  ])("%s is compared as %s", (name, domain) => {
    expect(serverDomain(name)).toBe(domain);
  });

  test("has a postmaster, and only one", () => {
    const at = (localPart: string, domain: string) =>
      isPostmaster({ localPart, domain, text: `${localPart}@${domain}` }, session.serverName);
    expect(at("postmaster", "mx.example.com")).toBe(true);
    expect(at("PostMaster", "mx.example.com")).toBe(true);
    expect(at("postmaster", "example.com")).toBe(false);
    expect(at("postmaster1", "mx.example.com")).toBe(false);
    expect(at("jane", "mx.example.com")).toBe(false);
    expect(at("postmoster", "mx.example.com")).toBe(false);
  });
});

test("parameters make a line longer, each by its octets", () => {
  const table: ParameterTable = new Map(
    [26, 16, 500].map((octets, index) => [`X${index}`, { octets, problem: () => undefined }]),
  );
  expect(parameterOctets(table)).toBe(542);
  expect(parameterOctets(new Map())).toBe(0);
});
