import { type Mailhost, type Plugin, definePlugin, mailhost, reject } from "@mailhost/core";
import { sink, transcript } from "@mailhost/testkit";
import { describe, expect, test } from "vitest";
import { type AddressableOptions, addressable } from "@mailhost/plugin-addressable";
import { login, loggingIn } from "./login.ts";

/** A relaying transport that keeps nothing. */
const smarthost = definePlugin({
  name: "smarthost",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({ transports: [{ kind: "relay", phases: "two" }] });
    host.hooks.queue
      .for("smarthost")
      .tap("smarthost", (delivery) => delivery.stage({ commit: () => {}, abort: () => {} }));
  },
});

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

const ways = (): readonly Plugin[] => [sink({ everything: false }), smarthost(), login()];

interface Setting {
  /** Default transports; both unless told otherwise. */
  readonly default?: { local?: string; relay?: string };
  readonly client?: string;
  readonly user?: string;
  readonly from?: string;
}

/** One RCPT per line of `expected`: the path and the reply's beginning. */
function asked(options: AddressableOptions, expected: Record<string, string>, setting: Setting = {}): Promise<void> {
  const { default: defaults = { local: "sink", relay: "smarthost" }, client = "192.0.2.1", user, from = "" } = setting;
  const server = () => ({ plugins: [...ways(), addressable(options)], default: defaults, client, log: quiet });
  return transcript(
    server,
    `
    S: 220 *
    C: EHLO client.test
    S: 250-*
    S: 250-PIPELINING
    S: 250-SIZE *
    S: 250-8BITMIME
    S: 250-SMTPUTF8
    S: 250-ENHANCEDSTATUSCODES
    S: 250 AUTH XNAME
    ${user === undefined ? "" : loggingIn(user)}
    C: MAIL FROM:<${from}> SMTPUTF8
    S: 250 2.1.0 *
    ${Object.entries(expected)
      .map(([path, reply]) => `C: RCPT TO:<${path}>\nS: ${reply} *`)
      .join("\n")}
    `,
  );
}

const taken = "250 2.1.5";
const denied = "550 5.7.1";
const unknown = "550 5.1.1";

describe("domains", () => {
  test("a named domain is taken, others are not", () =>
    asked(
      { domains: ["Example.COM", "münchen.example"] },
      {
        "jane@example.com": taken,
        "JANE+x@EXAMPLE.com": taken,
        "jane@xn--mnchen-3ya.example": taken,
        "jane@MÜNCHEN.example": taken,
        "jane@elsewhere.test": denied,
        "jane@sub.example.com": denied,
        "jane@notexample.com": denied,
        "jane@example.com.evil.test": denied,
      },
    ));

  test("a wildcard is every subdomain, not the domain itself", () =>
    asked(
      { domains: ["*.example.com"] },
      {
        "jane@a.example.com": taken,
        "jane@a.b.Example.com": taken,
        "jane@example.com": denied,
        "jane@aexample.com": denied,
        "jane@example.com.test": denied,
      },
    ));

  test("an address literal is a domain when it is named", () =>
    asked(
      { domains: ["[192.0.2.25]", "[IPv6:2001:DB8:0::25]"] },
      { "jane@[192.0.2.25]": taken, "jane@[ipv6:2001:db8::25]": taken, "jane@[192.0.2.26]": denied },
    ));

  test("a named domain permits a gateway to it", () =>
    asked(
      { domains: ["example.com"] },
      { "jane@example.com": taken, "jane@elsewhere.test": denied },
      { default: { relay: "smarthost" } },
    ));

  test("a gateway takes no address that asks the host behind it to relay", () =>
    asked(
      { domains: ["example.com"] },
      { "jane%elsewhere.test@example.com": unknown, "elsewhere.test!jane@example.com": unknown },
      { default: { relay: "smarthost" } },
    ));

  test("a permitted recipient without a way out is unknown here", () =>
    asked({ domains: ["example.com"] }, { "jane@example.com": unknown }, { default: {} }));
});

describe("addresses", () => {
  const options = { addresses: ["Jane@Example.com", "joe+list@example.com", '"two words"@example.com'] };

  test("a domain known only by addresses refuses the others", () =>
    asked(options, {
      "jane@example.com": taken,
      "JANE@EXAMPLE.COM": taken,
      '"jane"@example.com': taken,
      "jane+tag+more@example.com": taken,
      "joe+LIST@example.com": taken,
      '"Two Words"@example.com': taken,
      "joe@example.com": unknown,
      "joe+other@example.com": unknown,
      "jan@example.com": unknown,
      "+jane@example.com": unknown,
      "jane@elsewhere.test": denied,
    }));

  test("another separator, or none", async () => {
    await asked(
      { addresses: ["jane@example.com"], separator: "-" },
      { "jane-x@example.com": taken, "jane+x@example.com": unknown },
    );
    await asked({ addresses: ["jane@example.com"], separator: "" }, { "jane+x@example.com": unknown });
  });

  test("letters beyond ASCII are not folded into others", () =>
    asked({ addresses: ["mike@example.com"] }, { "mi\u212ae@example.com": unknown, "mıke@example.com": unknown }));

  test("a domain that is named as well takes all of its addresses", () =>
    asked({ ...options, domains: ["example.com"] }, { "anybody@example.com": taken }));

  test("a permit from elsewhere does not help an unknown address", () =>
    asked(
      { ...options, catchAll: true, accept: () => true, relay: { networks: ["192.0.2.0/24"] } },
      {
        "joe@example.com": unknown,
        "jane@elsewhere.test": taken,
      },
    ));
});

describe("accept", () => {
  test("it is asked with the identity's name and the canonical address", async () => {
    const calls: [string | undefined, string][] = [];
    const accept = (user: string | undefined, address: string): boolean => {
      calls.push([user, address]);
      return true;
    };
    await asked({ accept }, { "Jane@EXAMPLE.com": taken, '"a b"@example.com': taken });
    expect(calls.slice(0, 2)).toEqual([
      [undefined, "Jane@example.com"],
      [undefined, '"a b"@example.com'],
    ]);
    calls.length = 0;
    await asked({ accept }, { "jane@example.com": taken }, { user: "joe" });
    expect(calls[0]).toEqual(["joe", "jane@example.com"]);
  });

  test("false refuses, even in a named domain", () =>
    asked(
      { domains: ["example.com"], accept: (_user, address) => !address.startsWith("boss@") },
      { "jane@example.com": taken, "boss@example.com": denied },
    ));

  test("true permits a stranger local, never relay", async () => {
    const options = { accept: () => true };
    await asked(options, { "jane@elsewhere.test": taken }, { default: { local: "sink" } });
    await asked(options, { "jane@elsewhere.test": unknown }, { default: { relay: "smarthost" } });
  });

  test("true permits an identity relay", () =>
    asked({ accept: () => true }, { "jane@elsewhere.test": taken }, { user: "joe", default: { relay: "smarthost" } }));

  test("it may be a promise, a refusal or nothing", () =>
    asked(
      {
        domains: ["example.com"],
        accept: async (_user, address) => {
          if (address.startsWith("full@")) return reject("Mailbox full", { code: 552, status: "5.2.2" });
          if (address.startsWith("no@")) return false;
        },
      },
      {
        "jane@example.com": taken,
        "full@example.com": "552 5.2.2 Mailbox",
        "no@example.com": denied,
        "jane@elsewhere.test": denied,
      },
    ));

  test("what it throws or wrongly answers is a 451, not a yes", () =>
    asked(
      {
        domains: ["example.com"],
        accept: (_user, address) => {
          if (address.startsWith("throws@")) throw new Error("no database");
          // What an untyped program may return
          return "yes" as never;
        },
      },
      { "throws@example.com": "451 4.3.0", "jane@example.com": "451 4.3.0", "jane@elsewhere.test": "451 4.3.0" },
    ));

  test("it cannot refuse the server's postmaster", () =>
    asked(
      { addresses: ["jane@mx.example.com"], accept: () => false },
      { postmaster: taken, "postmaster@mx.example.com": taken, "jane@mx.example.com": denied },
    ));
});

describe("relay", () => {
  const relay = { default: { relay: "smarthost" } };

  test("nobody relays unless told so", async () => {
    await asked({}, { "jane@elsewhere.test": denied });
    await asked({}, { "jane@elsewhere.test": denied }, { user: "joe" });
    await asked({ relay: {} }, { "jane@elsewhere.test": denied }, { user: "joe" });
  });

  test("identities, when they may", async () => {
    const options = { relay: { identities: true } };
    await asked(options, { "jane@elsewhere.test": taken, "a%b.test@elsewhere.test": taken }, { user: "joe", ...relay });
    await asked(options, { "jane@elsewhere.test": denied }, relay);
  });

  test("listed networks and nobody beside them", async () => {
    const options = { relay: { networks: ["198.51.100.0/28", "2001:db8:1::/48", "203.0.113.7"] } };
    for (const client of ["198.51.100.15", "2001:db8:1:2::3", "203.0.113.7"])
      await asked(options, { "jane@elsewhere.test": taken }, { client, ...relay });
    for (const client of ["198.51.100.16", "2001:db8:2::1", "203.0.113.8", "192.0.2.1", ""])
      await asked(options, { "jane@elsewhere.test": denied }, { client, ...relay });
  });

  test("relay is not local: a mailbox here is not permitted by it", () =>
    asked(
      { relay: { identities: true } },
      { "jane@elsewhere.test": unknown },
      { user: "joe", default: { local: "sink" } },
    ));
});

test("catchAll permits local, never relay", async () => {
  await asked({ catchAll: true }, { "jane@elsewhere.test": taken });
  await asked({ catchAll: true }, { "jane@elsewhere.test": unknown }, { default: { relay: "smarthost" } });
});

const to = (reply: string) => ({ "jane@elsewhere.test": reply, "jane@example.com": reply });

describe("senders", () => {
  const options: AddressableOptions = {
    domains: ["example.com"],
    relay: { identities: true },
    senders: { joe: ["joe@example.com", "*@joe.test"], constructed: [] },
  };

  test.each(["joe@example.com", "Joe+shop@EXAMPLE.com", "anything@joe.test", ""])("joe may send from <%s>", (from) =>
    asked(options, to(taken), { user: "joe", from }),
  );

  test.each(["jane@example.com", "joe@sub.joe.test", "joe@elsewhere.test"])("joe may not send from <%s>", (from) =>
    asked(options, to("553 5.7.1"), { user: "joe", from }),
  );

  test.each(["nobody", "constructed", "toString", "__proto__"])("%s owns no address", (user) =>
    asked(options, to("553 5.7.1"), { user, from: "joe@example.com" }),
  );

  test("a stranger's sender is not judged here", () =>
    asked(options, { "jane@example.com": taken }, { from: "joe@example.com" }));
});

const prepare = (options: unknown): Promise<Mailhost> =>
  // What a configuration file may hold is not what the types say
  mailhost({ plugins: [...ways(), addressable(options as AddressableOptions)] }).prepare();

describe("options", () => {
  test.each([
    [{ domains: ["exa mple.com"] }, "domains[0]"],
    [{ domains: ["example.com", "example.com."] }, "domains[1]"],
    [{ domains: ["*"] }, "domains[0]"],
    [{ domains: ["*.com"] }, "domains[0]"],
    [{ domains: ["a.*.example.com"] }, "domains[0]"],
    [{ domains: ["*.*.example.com"] }, "domains[0]"],
    [{ domains: ["a%2eb"] }, "domains[0]"],
    [{ domains: "example.com" }, "domains"],
    [{ addresses: ["example.com"] }, "addresses[0]"],
    [{ addresses: ["*@example.com"] }, "addresses[0]"],
    [{ addresses: ["jane@example.com "] }, "addresses[0]"],
    [{ addresses: ["jane@bad domain"] }, "addresses[0]"],
    [{ separator: "x" }, "separator"],
    [{ accept: "everything" }, "accept"],
    [{ relay: { networks: ["0.0.0.0/0"] } }, "relay.networks[0]"],
    [{ relay: { networks: ["192.0.2.0/24", "::/0"] } }, "relay.networks[1]"],
    [{ relay: { networks: ["::ffff:0:0/96"] } }, "relay.networks[0]"],
    [{ relay: { networks: ["::/64"] } }, "relay.networks[0]"],
    [{ relay: { networks: ["128.0.0.0/1"] } }, "relay.networks[0]"],
    [{ relay: { networks: ["localhost"] } }, "relay.networks[0]"],
    [{ relay: { identities: "yes" } }, "relay.identities"],
    [{ relay: true }, "relay"],
    [{ senders: { joe: ["joe"] } }, "senders.joe[0]"],
    [{ catchAll: 1 }, "catchAll"],
    [{ domain: ["example.com"] }, "domain"],
  ])("%j is an error that names %s", async (options, where) => {
    await expect(prepare(options)).rejects.toMatchObject({
      problems: [{ where: `plugins[3].options.${where}` }],
    });
  });

  test("what may permit is declared for check", async () => {
    const server = await prepare({
      domains: ["*.example.com"],
      addresses: ["jane@shop.test"],
      accept: () => true,
      relay: { identities: true, networks: ["192.0.2.0/24"] },
      catchAll: true,
    });
    const permits = server.generations[0]?.vocabulary.permits.map(({ kind, what, anyDomain }) =>
      [kind, what, ...(anyDomain === true ? ["any domain"] : [])].join(", "),
    );
    expect(permits).toEqual([
      "local, domain *.example.com",
      "local, address jane@shop.test",
      "local, function accept, asked for every recipient",
      "local, catchAll, any domain",
      "relay, domain *.example.com",
      "relay, address jane@shop.test",
      "relay, function accept, for identities",
      "relay, identities",
      "relay, network 192.0.2.0/24",
    ]);
    await server.close();
  });
});
