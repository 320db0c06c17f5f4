import { execFileSync } from "node:child_process";

/**
 * Whether tests that need this program must be passed over: absent on a laptop. Under CI a missing tool is a failure.
 */
export function lacks(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v "$1"`, "sh", program], { stdio: "ignore" });
    return false;
  } catch {
    if (process.env["CI"] !== undefined) throw new Error(`${program} is missing, and CI runs every test`);
    return true;
  }
}
