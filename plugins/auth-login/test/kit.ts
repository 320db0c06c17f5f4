import { execFileSync } from "node:child_process";
import { type Log, type Plugin, encodeBase64 } from "@mailhost/core";
import { authPlain } from "@mailhost/plugin-auth-plain";
import { type TranscriptOptions, sink } from "@mailhost/testkit";
import { type AuthLoginOptions, authLogin } from "../src/index.ts";

export const password = "tr0ub4dor";

/** Says nothing of the certificate that is for development only. */
export const quietLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Text as octets in base64. */
export const base64 = (text: string): string => encodeBase64(new TextEncoder().encode(text));

export const askUsername = "S: 334 VXNlcm5hbWU6";
export const askPassword = "S: 334 UGFzc3dvcmQ6";

/** Knows jane, and jürgen with a password beyond ASCII. */
export const verifier = (asked: string[] = []): Plugin =>
  authPlain({
    allowInsecure: true,
    failureDelay: 0,
    required: false,
    verify(username, given) {
      asked.push(`${username}:${given}`);
      return (username === "jane" && given === password) || (username === "jürgen" && given === "pässwörd ☃");
    },
  });

/** LOGIN in clear beside PLAIN. */
export const inClear = (options: AuthLoginOptions = {}): TranscriptOptions => ({
  plugins: [verifier(), authLogin({ allowInsecure: true, ...options }), sink()],
});

/** Whether tests with this program must be passed over: absent on a laptop. Under CI a missing tool is a failure. */
export function lacks(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v "$1"`, "sh", program], { stdio: "ignore" });
    return false;
  } catch {
    if (process.env["CI"] !== undefined) throw new Error(`${program} is missing, and CI runs every test`);
    return true;
  }
}
