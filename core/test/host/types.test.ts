import {
  type Host,
  type Identity,
  type Refusal,
  defer,
  defineFact,
  definePlugin,
  disconnect,
  reject,
} from "@mailhost/core";
import { expect, test } from "vitest";

// What the compiler must refuse. `tsc -p tsconfig.test.json` fails when it no longer does.

const identity: Identity = { name: "jane" };

/** Never called: only its types are looked at. */
export function refusedByTheCompiler({ hooks }: Host): void {
  // @ts-expect-error a yes is a call on the handle, never a return value
  hooks.rcpt.tap("x", () => identity);
  // @ts-expect-error nor is true one
  hooks.rcpt.tap("x", () => true);
  // @ts-expect-error nor a reply
  hooks.data.tap("x", () => ({ code: 250, text: "Ok" }));
  // @ts-expect-error a refusal is made by reject, defer and disconnect alone
  hooks.rcpt.tap("x", () => ({ reply: { code: 550, text: "No" }, close: false }));
  // @ts-expect-error a 250 is no rejection
  hooks.rcpt.tap("x", () => reject("No", { code: 250 }));
  // @ts-expect-error nor is a 451
  hooks.rcpt.tap("x", () => reject("No", { code: 451 }));
  // @ts-expect-error the status is of the class of the code
  hooks.rcpt.tap("x", () => reject("No", { status: "4.7.1" }));
  // @ts-expect-error a 550 is no deferral
  hooks.rcpt.tap("x", () => defer("Later", { code: 550 }));
  // @ts-expect-error nor does one hang up with 250
  hooks.rcpt.tap("x", () => disconnect("Bye", { code: 250 }));
  // @ts-expect-error an async function is for tapPromise
  hooks.rcpt.tap("x", async () => reject());
  // @ts-expect-error and only an async one is
  hooks.rcpt.tapPromise("x", () => reject());
  // @ts-expect-error there are two kinds
  hooks.rcpt.tap("x", (recipient) => recipient.permit("everything"));
  // @ts-expect-error what is judged is read-only
  hooks.rcpt.tap("x", (recipient) => void (recipient.address.domain = "example.com"));
  // @ts-expect-error there is no such hook
  void hooks.mail;
  // @ts-expect-error nothing of tapable can be reached
  void hooks.rcpt.intercept;
  // @ts-expect-error credentials of a kind have the fields of that kind
  hooks.auth.tap("x", (credentials) => void credentials.password);
}

const withOptions = definePlugin<{ readonly root: string }>({
  name: "x",
  version: "1.0.0",
  core: "*",
  apply: () => {},
});
const withoutOptions = definePlugin({ name: "y", version: "1.0.0", core: "*", apply: () => {} });

export function refusedOptions(): void {
  // @ts-expect-error an option the factory lacks
  withOptions({ root: "x", rooot: "y" });
  // @ts-expect-error an option that is missing
  withOptions({});
  // @ts-expect-error no options at all
  withOptions();
  // @ts-expect-error a factory without options takes none
  withoutOptions({ root: "x" });
  // @ts-expect-error a placement the factory lacks
  withoutOptions({}, { name: "z" });
}

interface Spf {
  readonly result: "pass" | "fail";
}
const spf = defineFact<Spf>("mailhost-plugin-spf/spf");

export function refusedFacts(about: object): void {
  // @ts-expect-error a fact has its type
  spf.set(about, { result: "perhaps" });
  // @ts-expect-error that it is known is not said
  void spf.of(about).result;
  // @ts-expect-error and is about something
  spf.set("about", { result: "pass" });
}

export function accepted({ hooks }: Host): void {
  hooks.rcpt.tap("x", () => {});
  hooks.rcpt.tap("x", () => undefined);
  hooks.rcpt.tap("x", (recipient) => recipient.permit("local"));
  hooks.rcpt.tap("x", (recipient): Refusal | undefined => (recipient.address.domain === "x" ? reject() : undefined));
  hooks.rcpt.tap("x", (recipient) => {
    if (recipient.address.domain === "x") return defer();
  });
  hooks.rcpt.tapPromise("x", async (recipient) => {
    if (recipient.address.domain === "x") return disconnect();
  });
  hooks.auth.tap("x", (credentials) => {
    if (credentials.kind === "password" && credentials.password === "x") credentials.identify(identity);
  });
  withoutOptions();
  withOptions({ root: "x" }, { as: "z" });
}

test("the types are looked at by the compiler", () => {
  expect([refusedByTheCompiler, refusedOptions, accepted].map((one) => typeof one)).toEqual([
    "function",
    "function",
    "function",
  ]);
});
