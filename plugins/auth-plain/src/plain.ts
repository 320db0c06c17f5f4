import { type Exchange, type Reply, replies } from "@mailhost/core";

/** RFC 4616 §2 does not say how a malformed message is answered; RFC 4954 §4 has 501 for what cannot be read. */
const malformed: Reply = { code: 501, status: "5.5.2", text: "Malformed PLAIN message" };

/** The same as for a wrong password: nothing is learnt from it. */
const invalid: Reply = replies.badCredentials;

// BOM kept: it would be part of the password
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads `[authzid] NUL authcid NUL passwd` (RFC 4616 §2). The authorization identity must be absent or the login itself:
 * nobody acts for somebody else.
 */
export function readPlain(octets: Uint8Array): Exchange {
  const text = decode(octets);
  const [authzid, username, password, ...more] = text?.split("\0") ?? [];
  if (authzid === undefined || username === undefined || password === undefined || more.length > 0)
    return { refuse: malformed };
  if (username === "") return { refuse: malformed };
  // Nobody has such a name (RFC 4013 §2.3) or no password: not worth asking anybody
  if (/\p{Cc}/u.test(username) || password === "") return { refuse: invalid };
  if (authzid !== "" && authzid !== username) return { refuse: invalid };
  return { credentials: { kind: "password", username, password } };
}

function decode(octets: Uint8Array): string | undefined {
  try {
    return decoder.decode(octets);
  } catch {
    return undefined;
  }
}
