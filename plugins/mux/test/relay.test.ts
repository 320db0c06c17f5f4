import type { Plugin } from "@mailhost/core";
import { addressable } from "@mailhost/plugin-addressable";
import { mux } from "@mailhost/plugin-mux";
import { describe, expect, test } from "vitest";
import { type Asker, ask } from "./asking.ts";

// What relay testers and spammers try. example.com is taken, jane lives there; elsewhere.test is somebody else's.

const network = "198.51.100.0/24";

const judges = (): Plugin =>
  addressable({ domains: ["example.com"], relay: { identities: true, networks: [network] } });
const router = (): Plugin =>
  mux({
    routes: {
      "jane@example.com": "box",
      "postmaster@mx.example.com": "box",
      "*@*": { transport: "smarthost", nexthop: "out" },
    },
  });

const orders = { "addressable first": () => [judges(), router()], "mux first": () => [router(), judges()] };
const trusted: Record<string, Asker> = {
  "an identity": { user: "joe" },
  "a listed network": { client: "198.51.100.9" },
};

const denied = "550 5.7.1";
const unknown = "550 5.1.1";
const syntax = "501 5.1.3";
const out = "to smarthost out";
const here = "to box";

/** The path, what a stranger is told, what those who may relay are told. */
const attempts: readonly (readonly [path: string, stranger: string, trusted: string])[] = [
  ["jane@example.com", here, here],
  ["JANE@EXAMPLE.COM", here, here],
  ['"jane"@example.com', here, here],
  ["postmaster", here, here],
  ["victim@elsewhere.test", denied, out],
  ["VICTIM@ELSEWHERE.TEST", denied, out],
  ['"victim"@elsewhere.test', denied, out],
  ["victim%elsewhere.test@example.com", unknown, unknown],
  ["victim%elsewhere.test@mx.example.com", unknown, unknown],
  ["victim%elsewhere.test@[192.0.2.25]", denied, out],
  ["victim%elsewhere.test", syntax, syntax],
  ["victim%40elsewhere.test@example.com", unknown, unknown],
  ["elsewhere.test!victim@example.com", unknown, unknown],
  ["elsewhere.test!victim", syntax, syntax],
  ["example.com!elsewhere.test!victim@example.com", unknown, unknown],
  ["@example.com:victim@elsewhere.test", denied, out],
  ["@example.com,@mx.example.com:victim@elsewhere.test", denied, out],
  ["@elsewhere.test:jane@example.com", here, here],
  ['"victim@elsewhere.test"@example.com', unknown, unknown],
  ['"victim@elsewhere.test"', syntax, syntax],
  ['"victim%elsewhere.test"@example.com', unknown, unknown],
  ['"@elsewhere.test:victim"@example.com', unknown, unknown],
  ["victim@elsewhere.test@example.com", syntax, syntax],
  ["jane@example.com@elsewhere.test", syntax, syntax],
  [String.raw`victim\@elsewhere.test@example.com`, syntax, syntax],
  ["victim@elsewhere.test.", syntax, syntax],
  ["jane@example.com.", syntax, syntax],
  ["jane@example..com", syntax, syntax],
  ["jane@.example.com", syntax, syntax],
  ["jane@example.com,victim@elsewhere.test", syntax, syntax],
  ["jane@example.com:victim@elsewhere.test", syntax, syntax],
  ["jane@example.com> <victim@elsewhere.test", "501 5.5.4", "501 5.5.4"],
  ["jane@example.com>,<victim@elsewhere.test", syntax, syntax],
  ["jane@notexample.com", denied, out],
  ["jane@sub.example.com", denied, out],
  ["jane@example.com.elsewhere.test", denied, out],
  ["jane@example.com-elsewhere.test", denied, out],
  ["jane@examp1e.com", denied, out],
  ["jane@ex\u0430mple.com", denied, out],
  ["jane@ｅxample.com", here, here],
  ["jane@example。com", here, here],
  ["jane@example.com\u200b", here, here],
  ["jane@example%2ecom", syntax, syntax],
  ["jane@a%2eb", syntax, syntax],
  ["jane@0x7f.1", denied, out],
  ["jane@2130706433", denied, out],
  ["jane@127.0.0.1", denied, out],
  ["jane@[127.0.0.1]", denied, out],
  ["jane@[192.0.2.25]", denied, out],
  ["victim@[203.0.113.9]", denied, out],
  ["victim@[IPv6:2001:db8::9]", denied, out],
  ["victim@[0x7f.1]", syntax, syntax],
  ["victim@[elsewhere.test]", syntax, syntax],
  ["jane@localhost", denied, out],
  ["jane@mx.example.com", unknown, unknown],
  ["jane", syntax, syntax],
  ["", syntax, syntax],
  ["@example.com", syntax, syntax],
  ["jane@", syntax, syntax],
  ["*@*", syntax, syntax],
  ["*@example.com", unknown, unknown],
  ["jane@*", syntax, syntax],
  ["jane+@example.com", here, here],
  ["jane+victim@elsewhere.test@example.com", syntax, syntax],
  ["jane@constructor", denied, out],
  ["__proto__@example.com", unknown, unknown],
];

const paths = attempts.map(([path]) => path);

describe.each(Object.entries(orders))("relay attempts, %s", (_order, plugins) => {
  test("by a stranger", async () => {
    const answers = await ask(plugins(), paths);
    expect(paths.map((path, index) => [path, answers[index]])).toEqual(
      attempts.map(([path, stranger]) => [path, stranger]),
    );
    expect(answers).not.toContain(out);
  });

  test.each(Object.entries(trusted))("by %s", async (_who, asker) => {
    const answers = await ask(plugins(), paths, asker);
    expect(paths.map((path, index) => [path, answers[index]])).toEqual(attempts.map(([path, , told]) => [path, told]));
  });

  test("by strangers who look like somebody", async () => {
    for (const client of ["198.51.101.9", "::ffff:198.51.100.9x", "2001:db8::c633:6409", "127.0.0.1", "::1", ""])
      expect(await ask(plugins(), ["victim@elsewhere.test"], { client })).toEqual([denied]);
  });
});

/** A plain address of example.com, whatever its spelling. */
const plain = (path: string, told: string): boolean =>
  (told === here && path !== "postmaster") || path === "*@example.com" || path === "__proto__@example.com";

describe("a gateway passes on mail for its domain, and nothing that would be passed on behind it", () => {
  const gateways: Record<string, () => Plugin[]> = {
    "by mux": () => [mux({ routes: { "*@example.com": "smarthost" } })],
    "by addressable": () => [addressable({ domains: ["example.com"] }), mux({ routes: { "*@*": "smarthost" } })],
    "by both": () => [addressable({ domains: ["example.com"] }), mux({ routes: { "*@example.com": "smarthost" } })],
    "by default": () => [addressable({ domains: ["example.com"], catchAll: true })],
  };

  test.each(Object.entries(gateways))("%s", async (_how, plugins) => {
    const options = { default: { relay: "smarthost" } };
    expect(await ask(plugins(), ["anybody@example.com", "any+body@EXAMPLE.com"], {}, options)).toEqual(
      Array(2).fill("to smarthost"),
    );
    const passedOn = (await ask(plugins(), paths, {}, options)).flatMap((answer, index) =>
      answer === "to smarthost" ? [paths[index]] : [],
    );
    expect(passedOn).toEqual(attempts.flatMap(([path, told]) => (plain(path, told) ? [path] : [])));
  });
});
