import { type Exchange, type Mechanism, type Plugin, reject } from "@mailhost/core";
import { plugin } from "./dialogue.ts";

const text = (octets: Uint8Array): string => new TextDecoder().decode(octets);
const challenge = (words: string, next: (response: string) => Exchange): Exchange => ({
  challenge: new TextEncoder().encode(words),
  next: (octets) => next(text(octets)),
});
const credentials = (word: string): Exchange => {
  const [username = "", password = ""] = word.split(" ");
  return username === ""
    ? { refuse: reject("No name").reply }
    : { credentials: { kind: "password", username, password } };
};

/** A mechanism with an initial response: `name password`. */
const xword: Mechanism = {
  name: "XWORD",
  start: (initial) => (initial === undefined ? challenge("", credentials) : credentials(text(initial))),
};

/** A mechanism that asks twice. */
const xtwice: Mechanism = {
  name: "XTWICE",
  start: () => challenge("Name", (name) => challenge("Password", (password) => credentials(`${name} ${password}`))),
};

/** A mechanism for TLS only. */
const xsecret: Mechanism = {
  name: "XSECRET",
  offered: ({ tls }) => tls !== undefined,
  start: () => credentials("jane open"),
};
/** A mechanism that is switched off under TLS. */
const xclear: Mechanism = {
  name: "XCLEAR",
  offered: ({ tls }) => tls === undefined,
  start: () => credentials("jane open"),
};

/** Knows jane, whose password is `open`. */
export const words = (mechanisms: readonly Mechanism[] = [xword, xtwice, xsecret, xclear]): Plugin =>
  plugin("words", (host) => {
    host.extend({ mechanisms });
    host.hooks.auth.tap("words", (sent) => {
      if (sent.kind === "password" && sent.username === "jane" && sent.password === "open")
        sent.identify({ name: "jane" });
    });
  });

export const base64 = (word: string): string => Buffer.from(word).toString("base64");

/** A verb `XUPGRADE` that changes the layer below, as a STARTTLS plugin does. */
export const upgrading = (): Plugin =>
  plugin("upgrading", (host) =>
    host.extend({
      verbs: {
        XUPGRADE: {
          last: true,
          octets: 512,
          phases: ["new", "ready"],
          run: () => ({ go: "upgrade", reply: { code: 220, text: "Go" }, upgrade: { upgrade: "test" } }),
        },
      },
    }),
  );
