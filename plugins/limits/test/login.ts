import { definePlugin } from "@mailhost/core";

/** AUTH XWORD with a name and a password in base64: `right` is everybody's password. */
export const login = definePlugin({
  name: "login",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({
      mechanisms: [
        {
          name: "XWORD",
          start: (initial) => {
            const [username = "", password = ""] = new TextDecoder().decode(initial ?? new Uint8Array()).split("\0");
            return { credentials: { kind: "password", username, password } };
          },
        },
      ],
    });
    host.hooks.auth.tap("login", (credentials) => {
      if (credentials.kind === "password" && credentials.password === "right")
        credentials.identify({ name: credentials.username });
    });
  },
});

/** What follows `AUTH XWORD `. */
export const password = (name: string, word = "right"): string => Buffer.from(`${name}\0${word}`).toString("base64");
