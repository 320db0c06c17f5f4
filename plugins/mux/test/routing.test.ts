import { type TransportKind, mailhost } from "@mailhost/core";
import { transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { type MuxOptions, mux } from "@mailhost/plugin-mux";
import { listening, way } from "./ways.ts";

const taken = "250 2.1.5 *";
const denied = "550 5.7.1 *";
const unknown = "550 5.1.1 *";

const isReply = (value: string): boolean => /^\d/.test(value);

interface Setting {
  readonly kind?: TransportKind;
  readonly default?: { local: string };
}

/**
 * Tells the mux every recipient. A value is either a reply, or where the recipient is to arrive: `box` and its nexthop.
 */
function routed(options: MuxOptions, expected: Record<string, string>, setting: Setting = {}): Promise<void> {
  let box = way("box", setting.kind ?? "local");
  const arriving = Object.entries(expected).filter(([, value]) => !isReply(value));
  const dialogue = Object.entries(expected).map(
    ([path, value]) => `C: RCPT TO:<${path}>\nS: ${isReply(value) ? value : taken}`,
  );
  return transcript(
    () => {
      box = way("box", setting.kind ?? "local");
      return {
        plugins: [mux(options), box],
        log: listening().log,
        ...(setting.default === undefined ? {} : { default: setting.default }),
        afterwards: () => expect(box.taken.map((line) => line.split(" ").at(-1))).toEqual(arriving.map(([, to]) => to)),
      };
    },
    `
    S: 220 *
    C: EHLO client.test
    S: 250-*
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250 ENHANCEDSTATUSCODES
    C: MAIL FROM:<> SMTPUTF8
    S: 250 2.1.0 *
    ${dialogue.join("\n")}
    ${arriving.length === 0 ? "" : "C: DATA\nS: 354 *\nC: Subject: x\nC:\nC: .\nS: 250 2.0.0 *"}
    `,
  );
}

const to = (nexthop: string) => ({ transport: "box", nexthop });

describe("patterns", () => {
  test("domain first, exact, else *; then local part, exact, else *", () =>
    routed(
      {
        catchAll: true,
        routes: {
          "jane@example.com": to("jane"),
          "*@example.com": to("example"),
          "postmaster@*": to("postmasters"),
          "*@*": to("rest"),
        },
      },
      {
        "jane@example.com": "jane",
        "joe@example.com": "example",
        "postmaster@example.com": "example",
        "postmaster@elsewhere.test": "postmasters",
        "jane@elsewhere.test": "rest",
      },
    ));

  test("mux patterns with capitals, dots and +tags match, domains compare without case", () =>
    routed(
      {
        routes: {
          "Jane.Doe@Example.COM": to("jane"),
          "Jane.Doe+News@Example.com": to("news"),
          "JOE+a+b@example.com": to("joe-a-b"),
          '"two words"@example.com': to("quoted"),
        },
      },
      {
        "jane.doe@EXAMPLE.com": "jane",
        "JANE.DOE@example.COM": "jane",
        "Jane.Doe+other@example.com": "jane",
        "jane.doe+NEWS@example.com": "news",
        "jane.doe+news+more@example.com": "jane",
        "joe+A+B@example.com": "joe-a-b",
        '"Two Words"@example.com': "quoted",
        "janedoe@example.com": unknown,
        "joe@example.com": unknown,
        "joe+a@example.com": unknown,
      },
    ));

  test("+ cuts at the first separator", () =>
    routed(
      { routes: { "jane@example.com": to("jane"), "jane+a@example.com": to("tagged"), "+@example.com": to("plus") } },
      {
        "jane+b+a@example.com": "jane",
        "jane+a+b@example.com": "jane",
        "jane++a@example.com": "jane",
        "jane+@example.com": "jane",
        "jane+A@example.com": "tagged",
        "+@example.com": "plus",
        "+jane@example.com": unknown,
        "jane-a@example.com": unknown,
      },
    ));

  test("IDN domains compare as A-labels", () =>
    routed(
      { routes: { "*@Bücher.example": to("books"), "jane@xn--mnchen-3ya.example": to("munich") } },
      {
        "a@bücher.example": "books",
        "b@BÜCHER.example": "books",
        "c@xn--bcher-kva.example": "books",
        "jane@münchen.example": "munich",
        "joe@bucher.example": denied,
      },
    ));

  test("an address literal is a domain", () =>
    routed(
      { routes: { "*@[192.0.2.25]": to("literal") } },
      { "jane@[192.0.2.25]": "literal", "jane@[192.0.2.26]": denied },
    ));

  test("a quoted asterisk is a character", () =>
    routed({ routes: { '"*"@example.com': to("star") } }, { "*@example.com": "star", "jane@example.com": unknown }));

  test("letters beyond ASCII are not folded into others", () =>
    routed(
      { routes: { "mike@example.com": to("mike"), "jürgen@example.com": to("juergen") } },
      { "mi\u212ae@example.com": unknown, "jürgen@example.com": "juergen" },
    ));
});

describe("forms", () => {
  test("dots, case and separator are a domain's own", () =>
    routed(
      {
        ignoreDots: true,
        perDomain: {
          "Strict.Example": { caseSensitive: true, ignoreDots: false, separator: "" },
          "dash.example": { separator: "-" },
        },
        routes: {
          "Jane.Doe@example.com": to("jane"),
          "Jane.Doe@strict.example": to("strict"),
          "jane@dash.example": to("dash"),
        },
      },
      {
        "j.a.n.e.doe+a.b@example.com": "jane",
        "Jane.Doe@STRICT.example": "strict",
        "jane.doe@strict.example": unknown,
        "JaneDoe@strict.example": unknown,
        "Jane.Doe+x@strict.example": unknown,
        "ja.ne-x@dash.example": "dash",
        "jane+x@dash.example": unknown,
      },
    ));

  test("the recipient stays as the client wrote it", async () => {
    const box = way("box", "local");
    await transcript(
      () => ({
        plugins: [mux({ ignoreDots: true, routes: { "janedoe@example.com": "box" } }), box],
        afterwards: () => expect(box.taken.splice(0)).toEqual(["Jane.Doe+News@example.com"]),
      }),
      `
      S: 220 *
      C: HELO client.test
      S: 250 *
      C: MAIL FROM:<>
      S: 250 *
      C: RCPT TO:<Jane.Doe+News@example.com>
      S: 250 *
      C: DATA
      S: 354 *
      C: .
      S: 250 *
      `,
    );
  });
});

describe("what is known and what is not", () => {
  test("an unroutable recipient is refused at RCPT", () =>
    routed(
      { routes: { "jane@example.com": to("jane"), "postmaster@*": to("postmaster") } },
      { "joe@example.com": unknown, "jane@elsewhere.test": denied, "jane@example.com": "jane" },
    ));

  const both = { routes: { "jane@example.com": to("jane"), "*@*": to("rest"), "info@*": to("info") } };

  test("no fall-through from a known domain to *@*", () =>
    routed(
      { ...both, catchAll: true },
      { "joe@example.com": unknown, "info@example.com": unknown, "joe@elsewhere.test": "rest" },
    ));

  test("fallthrough: true gives it", () =>
    routed(
      { ...both, catchAll: true, fallthrough: true },
      { "joe@example.com": "rest", "info+x@example.com": "info", "jane@example.com": "jane" },
    ));

  test("fallthrough needs something to fall to", () =>
    routed(
      { routes: { "jane@example.com": to("jane"), "info@*": to("info") }, fallthrough: true },
      { "joe@example.com": unknown, "info@example.com": "info" },
    ));

  test("a pattern for every domain routes and permits nothing", () =>
    routed({ routes: { "*@*": to("rest") } }, { "jane@example.com": denied }));

  test("catchAll permits local, never relay", () =>
    routed({ routes: { "*@*": to("rest") }, catchAll: true }, { "jane@example.com": denied }, { kind: "relay" }));

  test("a named domain permits relay: a gateway to it", () =>
    routed({ routes: { "*@example.com": to("inside") } }, { "jane@example.com": "inside" }, { kind: "relay" }));

  test("a gateway takes no address that asks the host behind it to relay", () =>
    routed(
      { routes: { "*@example.com": to("inside") } },
      {
        "jane%elsewhere.test@example.com": denied,
        "elsewhere.test!jane@example.com": denied,
        '"jane@elsewhere.test"@example.com': denied,
      },
      { kind: "relay" },
    ));

  test("the server's postmaster may be routed, or go to the listener's default", async () => {
    await routed({ routes: { "postmaster@*": to("postmaster") } }, { postmaster: "postmaster" });
    await routed(
      { routes: { "jane@mx.example.com": to("jane") } },
      { postmaster: "postmaster@mx.example.com", "joe@mx.example.com": unknown },
      { default: { local: "box" } },
    );
    await routed({ routes: { "jane@mx.example.com": to("jane") } }, { postmaster: unknown });
  });
});

// What a configuration file may hold is not what the types say
const prepare = (options: unknown) =>
  mailhost({ plugins: [way("box", "local"), mux(options as MuxOptions)] }).prepare();

const permits = async (options: MuxOptions) =>
  (await prepare(options)).generations[0]?.vocabulary.permits.map(({ kind, what, anyDomain }) => [
    kind,
    what,
    anyDomain,
  ]);

describe("options", () => {
  test.each([
    [{ routes: { "example.com": "box" } }, "routes.example.com"],
    [{ routes: { "": "box" } }, "routes."],
    [{ routes: { "@example.com": "box" } }, "routes.@example.com"],
    [{ routes: { "jane@": "box" } }, "routes.jane@"],
    [{ routes: { "jane@exa mple.com": "box" } }, "routes.jane@exa mple.com"],
    [{ routes: { "jane@example.com.": "box" } }, "routes.jane@example.com."],
    [{ routes: { "jane@*.example.com": "box" } }, "routes.jane@*.example.com"],
    [{ routes: { "*foo@example.com": "box" } }, "routes.*foo@example.com"],
    [{ routes: { "foo*@*": "box" } }, "routes.foo*@*"],
    [{ routes: { "ja ne@example.com": "box" } }, "routes.ja ne@example.com"],
    [{ routes: { "a@b@example.com": "box" } }, "routes.a@b@example.com"],
    [{ routes: { "*@*": "mux" } }, "routes.*@*"],
    [{ routes: { "*@*": "" } }, "routes.*@*"],
    [{ routes: { "*@*": 25 } }, "routes.*@*"],
    [{ routes: { "*@*": { nexthop: "x" } } }, "routes.*@*"],
    [{ routes: { "jane@example.com": "box", "Jane@EXAMPLE.com": "box" } }, "routes.Jane@EXAMPLE.com"],
    [{ routes: { "*@example.com": "box" }, perDomain: { "exampel.com": {} } }, "perDomain.exampel.com"],
    [{ routes: { "*@example.com": "box" }, perDomain: { "no domain": {} } }, "perDomain.no domain"],
    [
      { routes: { "*@example.com": "box" }, perDomain: { "example.com": {}, "Example.com": {} } },
      "perDomain.Example.com",
    ],
    [{ routes: { "*@example.com": "box" }, perDomain: { "example.com": { dots: 1 } } }, "perDomain.example.com.dots"],
    [{ routes: { "*@example.com": "box" }, separator: "a" }, "separator"],
    [{ routes: { "*@example.com": "box" }, timeout: 0 }, "timeout"],
    [{ routes: { "*@example.com": "box" }, catchAll: "yes" }, "catchAll"],
    [{ routes: { "*@example.com": "box" }, fallTrough: true }, "fallTrough"],
  ])("%j is an error that names %s", async (options, where) => {
    await expect(prepare(options)).rejects.toMatchObject({ problems: [{ where: `plugins[1].options.${where}` }] });
  });

  test("every bad pattern is told at once", async () => {
    const bad = mux({ routes: { "a@b@c": "box", nothing: "box" } }).handle("*x@example.com", () => {});
    const problems = {
      problems: [{ where: "plugins[1].options.routes.a@b@c" }, {}, { where: 'plugins[1].handle("*x@example.com")' }],
    };
    await expect(mailhost({ plugins: [way("box", "local"), bad] }).prepare()).rejects.toMatchObject(problems);
  });

  test("no handler configured is a start-up error, not a crash", async () => {
    const codes = { problems: [{ code: "NO_HANDLER", where: "plugins[0]" }] };
    await expect(mailhost({ plugins: [mux()] }).prepare()).rejects.toMatchObject(codes);
    await expect(mailhost({ plugins: [way("box", "local"), mux({ routes: {} })] }).prepare()).rejects.toMatchObject({
      name: "ConfigurationError",
      problems: [{ code: "NO_HANDLER", where: "plugins[1]" }],
    });
  });

  test("what may permit is declared for check", async () => {
    const routes = { "jane@Example.com": "box", "joe@example.com": "box", "*@*": "box" };
    const named = [
      ["local", "domain example.com", undefined],
      ["relay", "domain example.com", undefined],
    ];
    expect(await permits({ routes })).toEqual(named);
    expect(await permits({ routes, catchAll: true })).toEqual([...named, ["local", "catchAll", true]]);
  });
});
