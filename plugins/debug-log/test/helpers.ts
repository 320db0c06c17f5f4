import { Writable } from "node:stream";
import { type Mechanism, type Step, definePlugin, last, nobody, reject, tlsUpgrade } from "@mailhost/core";

/** A stream that keeps what was written. */
export class Memory extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

const decode = (octets: Uint8Array): string => new TextDecoder().decode(octets);

const passwords = new Map([["jane", "tr0ub4dor"]]);

const readPlain = (response: Uint8Array): ReturnType<Mechanism["start"]> => {
  const [, username = "", password = ""] = decode(response).split("\0");
  return { credentials: { kind: "password", username, password } };
};

const plain: Mechanism = {
  name: "PLAIN",
  start: (initial) => (initial === undefined ? { challenge: new Uint8Array(0), next: readPlain } : readPlain(initial)),
};

const upgrade = (): Step => ({
  go: "upgrade",
  reply: { code: 220, status: "2.0.0", text: "Go ahead" },
  upgrade: tlsUpgrade(() => ({})),
});
const startTls = last(["ready"], () => ({ value: undefined }), nobody, upgrade);

/** AUTH PLAIN with jane's password, so that there are secrets to hide; STARTTLS, so that there is a handshake. */
export const login = definePlugin({
  name: "login",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.extend({ mechanisms: [plain], verbs: { STARTTLS: startTls } });
    host.hooks.auth.tap("login", (credentials) => {
      if (credentials.kind !== "password" || passwords.get(credentials.username) !== credentials.password) return;
      credentials.identify({ name: credentials.username });
    });
  },
});

const noMallory = reject("Mallory is not welcome");

/** Refuses one recipient. */
export const bouncer = definePlugin({
  name: "bouncer",
  version: "1.0.0",
  core: "^1.0.0",
  apply(host) {
    host.hooks.rcpt.tap("bouncer", ({ address }) => (address.localPart === "mallory" ? noMallory : undefined));
  },
});

export const response = (username: string, password: string): string =>
  Buffer.from(`\0${username}\0${password}`).toString("base64");

/** A password as the dump must never show it: in clear, in base64 at any of the three offsets. */
export function traces(secret: string): string[] {
  const shifted = [0, 1, 2].map((by) => {
    const text = Buffer.from("x".repeat(by) + secret).toString("base64");
    return text.slice(by === 0 ? 0 : by + 1, -4);
  });
  return [secret, Buffer.from(secret).toString("base64"), ...shifted.filter((text) => text.length >= 4)];
}
