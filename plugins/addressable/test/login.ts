import { definePlugin } from "@mailhost/core";

/** AUTH XNAME and a name in base64: who says a name is that name. For tests of what identities may do. */
export const login = definePlugin({
  name: "login",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({
      mechanisms: [
        {
          name: "XNAME",
          start: (initial) => ({
            credentials: { kind: "proven", username: new TextDecoder().decode(initial ?? new Uint8Array()) },
          }),
        },
      ],
    });
    host.hooks.auth.tap("login", (credentials) => {
      if (credentials.kind === "proven") credentials.identify({ name: credentials.username });
    });
  },
});

/** The lines of a transcript that log in. */
export const loggingIn = (name: string): string => `
  C: AUTH XNAME ${Buffer.from(name).toString("base64")}
  S: 235 2.7.0 *
`;
