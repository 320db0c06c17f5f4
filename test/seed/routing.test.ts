import { addressable } from "@mailhost/plugin-addressable";
import { type MuxOptions, mux } from "@mailhost/plugin-mux";
import { transcript } from "@mailhost/testkit";
import { expect, test } from "vitest";
import { quietLog } from "../support/dialogue.ts";

/** A dialogue of RCPT alone: each recipient and what it is answered. */
const recipients = (answers: readonly (readonly [recipient: string, reply: string])[]): string =>
  ["S: 220 *", "C: HELO client.test", "S: 250 *", "C: MAIL FROM:<>", "S: 250 2.1.0 *"]
    .concat(answers.flatMap(([recipient, reply]) => [`C: RCPT TO:<${recipient}>`, `S: ${reply} *`]))
    .join("\n");

const ok = "250 2.1.5";
const unknown = "550 5.1.1";
const denied = "550 5.7.1";

const take = (): void => {};
const routing = (options: MuxOptions) => () => ({ plugins: [mux(options)], log: quietLog });

test("an unroutable recipient is refused at RCPT", async () => {
  const routed = routing({ routes: { "jane@example.com": take } });
  await transcript(
    routed,
    recipients([
      ["joe@example.com", unknown],
      ["joe@elsewhere.test", denied],
      ["jane@example.com", ok],
    ]),
  );
  // Permitted by one plugin, routed by none
  await transcript(
    () => ({ plugins: [addressable({ domains: ["example.org"] }), mux({ routes: { "jane@example.com": take } })] }),
    recipients([["jane@example.org", unknown]]),
  );
  // With no recipient left there is no body to take (RFC 5321 section 3.3)
  await transcript(
    routed,
    `${recipients([["joe@example.com", unknown]])}
    C: DATA
    S: 554 5.5.1 *
  `,
  );
});

/** Which of its routes takes each recipient. */
async function takers(
  options: (route: (name: string) => () => void) => MuxOptions,
  address: string,
): Promise<string[]> {
  const taken: string[] = [];
  await transcript(
    () => ({ plugins: [mux(options((name) => () => void taken.push(name)))], log: quietLog }),
    `${recipients([[address, ok]])}
    C: DATA
    S: 354 *
    C: .
    S: 250 2.0.0 *
  `,
  );
  return [...new Set(taken)];
}

const patterns = (route: (name: string) => () => void): MuxOptions => ({
  routes: {
    "Jane.Doe@Example.COM": route("jane"),
    "JOE+News@example.com": route("news"),
    "joe@example.com": route("joe"),
    "*@Bücher.example": route("books"),
    "*@example.com": route("rest"),
  },
});

const dotless = (route: (name: string) => () => void): MuxOptions => ({
  ...patterns(route),
  perDomain: { "EXAMPLE.com": { ignoreDots: true } },
});

test("mux patterns with capitals, dots and +tags match, domains compare without case", async () => {
  for (const [address, name] of [
    ["jane.doe@example.com", "jane"],
    ["JANE.DOE@EXAMPLE.COM", "jane"],
    ["jane.doe+lists@eXample.com", "jane"],
    ['"Jane.Doe"@example.com', "jane"],
    ["janedoe@example.com", "rest"],
    ["joe+news@example.com", "news"],
    ["joe+other@example.com", "joe"],
    ["Anybody@XN--BCHER-KVA.example", "books"],
  ] as const)
    expect(await takers(patterns, address), address).toEqual([name]);
  expect(await takers(dotless, "j.a.n.e.doe@example.com")).toEqual(["jane"]);
});

test("+ cuts at the first separator", async () => {
  const tags: (string | undefined)[] = [];
  const routes = {
    "jane@example.com": ({ recipients: [first] }: { recipients: readonly { tag: string | undefined }[] }) =>
      void tags.push(first?.tag),
  };
  await transcript(
    routing({ routes }),
    `${recipients([["jane+a+b@example.com", ok]])}
    C: DATA
    S: 354 *
    C: .
    S: 250 2.0.0 *
  `,
  );
  expect(new Set(tags)).toEqual(new Set(["a+b"]));
  // Only the part before the first: jane+a is nobody, whatever stands behind it
  await transcript(
    routing({ routes: { "jane+a@example.com": take } }),
    recipients([["jane+a+b@example.com", unknown]]),
  );
});

const withRest = (more: MuxOptions) =>
  routing({ routes: { "jane@example.com": take, "*@*": take }, catchAll: true, ...more });

test("no fall-through from a known domain to *@*", () =>
  transcript(
    withRest({}),
    recipients([
      ["joe@example.com", unknown],
      ["joe@EXAMPLE.com", unknown],
      ["jane@example.com", ok],
    ]),
  ));

test("fallthrough: true gives it", () =>
  transcript(withRest({ fallthrough: true }), recipients([["joe@example.com", ok]])));

test("*@* takes the domains nobody named", () => transcript(withRest({}), recipients([["joe@elsewhere.test", ok]])));
