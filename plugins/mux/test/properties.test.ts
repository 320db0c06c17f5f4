import { ConfigurationError, type Plugin, canonicalDomain, canonicalLiteral, parseAddress } from "@mailhost/core";
import { type AddressableOptions, addressable } from "@mailhost/plugin-addressable";
import { type MuxOptions, mux } from "@mailhost/plugin-mux";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Answer, type Asker, ask } from "./asking.ts";

// Options as data, good and bad ones, over a small world in which names collide often.

const localParts = ["jane", "Jane+x", "j.ane", "joe", "a%b.test", "b.test!a", '"a@b.test"', "postmaster"];
const domains = [
  "example.com",
  "EXAMPLE.com",
  "sub.example.com",
  "shop.test",
  "elsewhere.test",
  "b.test",
  "mx.example.com",
];
const oddDomains = ["[203.0.113.9]", "0x7f.1", "xn--mnchen-3ya.example", "münchen.example", "constructor"];

const domain = fc.constantFrom(...domains, ...oddDomains);
const wildcard = fc.constantFrom("*", "*.com", "*.example.com", "*.test", "*.", ".", "", "*.*", "example.com.");
const address = fc.tuple(fc.constantFrom(...localParts), domain).map((parts) => parts.join("@"));
const network = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("198.51.100.0/24", "203.0.113.7", "2001:db8:1::/48") },
  { weight: 1, arbitrary: fc.constantFrom("0.0.0.0/0", "::/0", "0.0.0.0/1", "::ffff:0:0/96", "::/32", "192.0.2.1/0") },
);
const some = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { maxLength: 3 });
const rarely = fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) });

const judging: fc.Arbitrary<AddressableOptions> = fc.record(
  {
    domains: some(fc.oneof({ weight: 8, arbitrary: domain }, { weight: 1, arbitrary: wildcard })),
    addresses: some(address),
    separator: fc.constantFrom("+", "-", ""),
    relay: fc.record({ identities: fc.boolean(), networks: some(network) }, { requiredKeys: [] }),
    senders: fc.dictionary(fc.constantFrom("joe", "jane"), some(address)),
    catchAll: rarely,
  },
  { requiredKeys: [] },
);

const pattern = fc
  .tuple(
    fc.oneof(fc.constant("*"), fc.constantFrom(...localParts)),
    fc.oneof(
      { weight: 2, arbitrary: fc.constant("*") },
      { weight: 3, arbitrary: domain },
      { weight: 1, arbitrary: wildcard },
    ),
  )
  .map((parts) => parts.join("@"));
const target = fc.constantFrom("box", "smarthost", { transport: "smarthost", nexthop: "out" });
const routing: fc.Arbitrary<MuxOptions> = fc.record(
  {
    routes: fc.dictionary(pattern, target, { minKeys: 1, maxKeys: 4 }),
    fallthrough: fc.boolean(),
    catchAll: rarely,
    ignoreDots: fc.boolean(),
    caseSensitive: fc.boolean(),
  },
  { requiredKeys: ["routes"] },
);

const defaults = fc.record({ local: fc.constant("box"), relay: fc.constant("smarthost") }, { requiredKeys: [] });

const asker: fc.Arbitrary<Asker> = fc.record({
  client: fc.constantFrom("192.0.2.1", "198.51.100.9", "203.0.113.7", "2001:db8:1::9", "2001:db8:9::1"),
  user: fc.constantFrom(undefined, "joe", "jane"),
});

const paths = fc.array(address, { minLength: 1, maxLength: 6 });

const runs = { numRuns: 400 };

/** The answers, or undefined when the server does not start with these options. */
async function answers(...call: Parameters<typeof ask>): Promise<Answer[] | undefined> {
  try {
    return await ask(...call);
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** Where it goes, or the class of the refusal. */
const outcome = (answer: Answer): string => (answer.startsWith("to ") ? answer : answer.slice(0, 1));

test("the order of plugins changes no route and no reply class (P5)", async () => {
  let started = 0;
  await fc.assert(
    fc.asyncProperty(judging, routing, defaults, asker, paths, async (judge, router, fallback, who, to) => {
      const options = { default: fallback };
      const one = await answers([addressable(judge), mux(router)], to, who, options);
      const other = await answers([mux(router), addressable(judge)], to, who, options);
      expect(other?.map(outcome)).toEqual(one?.map(outcome));
      if (one !== undefined) started += 1;
    }),
    runs,
  );
  expect(started).toBeGreaterThan(runs.numRuns / 8);
});

const canonical = (text: string): string | undefined => canonicalDomain(text) ?? canonicalLiteral(text);

/** The options name the domain: written anew, as simply as can be. */
function names(domainAsked: string, judge: AddressableOptions | undefined, router: MuxOptions | undefined): boolean {
  const written = [
    ...(judge?.domains ?? []),
    ...(judge?.addresses ?? []).map((text) => text.slice(text.lastIndexOf("@") + 1)),
    ...Object.keys(router?.routes ?? {}).map((text) => text.slice(text.lastIndexOf("@") + 1)),
  ];
  return written.some(
    (text) => canonical(text) === domainAsked || (text === "*.example.com" && domainAsked.endsWith(".example.com")),
  );
}

const configurations = fc
  .tuple(fc.option(judging, { nil: undefined }), fc.option(routing, { nil: undefined }), fc.boolean())
  .filter(([judge, router]) => judge !== undefined || router !== undefined);

test("no options as data accept a stranger's mail for a domain they do not name, nor relay for one (P6)", async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(configurations, defaults, paths, async ([judge, router, turned], fallback, to) => {
      const plugins: Plugin[] = [
        ...(judge === undefined ? [] : [addressable(judge)]),
        ...(router === undefined ? [] : [mux(router)]),
      ];
      if (turned) plugins.reverse();
      const told = await answers(plugins, to, { client: "192.0.2.1" }, { default: fallback });
      for (const [index, answer] of (told ?? []).entries()) {
        if (!answer.startsWith("to ")) continue;
        taken += 1;
        const read = parseAddress(to[index] ?? "");
        const { localPart = "", domain: asked = "" } = read ?? {};
        const postmaster = localPart === "postmaster" && asked === "mx.example.com";
        const catchAll = judge?.catchAll === true || router?.catchAll === true;
        const named = names(asked, judge, router);
        if (answer === "to box") expect(named || catchAll || postmaster).toBe(true);
        else expect(named && !/[%!@]/.test(localPart)).toBe(true);
      }
    }),
    runs,
  );
  expect(taken).toBeGreaterThan(runs.numRuns / 8);
});

test("any text is a pattern or a problem, never a crash", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 40 }), async (text) => {
      const told = await answers(
        [
          mux()
            .handle(text, () => {})
            .handle(`${text}@${text}`, () => {}),
        ],
        ["jane@example.com"],
      );
      expect(told === undefined || told.length === 1).toBe(true);
    }),
    { numRuns: 200 },
  );
});
