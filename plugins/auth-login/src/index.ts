import { type Session, definePlugin } from "@mailhost/core";
import * as v from "valibot";
import { startLogin } from "./login.ts";

export interface AuthLoginOptions {
  /** Offers AUTH LOGIN in clear too: the password can be read on the way. */
  readonly allowInsecure?: boolean | undefined;
  /** EHLO says `AUTH=LOGIN` too, for clients older than RFC 2554. */
  readonly oldKeyword?: boolean | undefined;
}

const schema = v.strictObject({
  allowInsecure: v.optional(v.boolean()),
  oldKeyword: v.optional(v.boolean()),
});

/** AUTH LOGIN, for devices and old mail programs. Whether the password is right is for another plugin to say. */
export const authLogin = definePlugin<AuthLoginOptions>({
  name: "auth-login",
  version: "1.0.0",
  core: "^1.0.0",
  options: { schema, keys: Object.keys(schema.entries) },
  apply(host, { allowInsecure = false, oldKeyword = false }) {
    const offered = ({ tls }: Session): boolean => allowInsecure || tls !== undefined;
    const old = (session: Session): string | undefined =>
      offered(session) && session.identity === undefined ? "" : undefined;
    host.extend({
      mechanisms: [{ name: "LOGIN", offered, start: startLogin }],
      ...(oldKeyword ? { keywords: { "AUTH=LOGIN": old } } : {}),
    });
  },
});

export default authLogin;
