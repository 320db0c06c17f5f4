import { type Exchange, type Reply, replies } from "@mailhost/core";

// draft-murchison-sasl-login §2.2 lets a server say what it likes, but one widely used client wants these very words,
// and printers hang up at "User Name"
const username = new TextEncoder().encode("Username:");
const password = new TextEncoder().encode("Password:");

const malformed: Reply = { code: 501, status: "5.5.2", text: "Malformed user name or password" };

/** The same as for a wrong password: nothing is learnt from it. */
const invalid: Reply = replies.badCredentials;

// BOM kept: it would be part of the password
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A LOGIN exchange (draft-murchison-sasl-login): user name, then password. The initial response, of which the draft knows nothing,
 * is the user name for all who send one; an empty one (`AUTH LOGIN =`) names nobody, and the name is asked for.
 */
export const startLogin = (initial: Uint8Array | undefined): Exchange =>
  initial === undefined || initial.length === 0 ? { challenge: username, next: askPassword } : askPassword(initial);

/** Asks whatever the name is: the password of a client that does not wait must not be taken for a command. */
const askPassword = (name: Uint8Array): Exchange => ({
  challenge: password,
  next: (secret) => readLogin(name, secret),
});

/** What AUTH PLAIN takes for a name and a password (RFC 4616 §2), LOGIN takes too, and no more. */
function readLogin(name: Uint8Array, secret: Uint8Array): Exchange {
  const [user, pass] = [decode(name), decode(secret)];
  if (user === undefined || pass === undefined) return { refuse: malformed };
  if (user === "" || /\p{Cc}/u.test(user) || pass === "" || pass.includes("\0")) return { refuse: invalid };
  return { credentials: { kind: "password", username: user, password: pass } };
}

function decode(octets: Uint8Array): string | undefined {
  try {
    return decoder.decode(octets);
  } catch {
    return undefined;
  }
}
