import { spawn } from "node:child_process";

/** What a program printed and how it ended. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end without blocking the server in this process; it is killed after `seconds`. `null` leaves its input open. */
export function run(
  program: string,
  args: readonly string[],
  input: string | Buffer | null = "",
  env: NodeJS.ProcessEnv = {},
  seconds = 60,
  cwd = process.cwd(),
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout: seconds * 1000,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (octets: Buffer) => out.push(octets));
    child.stderr.on("data", (octets: Buffer) => err.push(octets));
    child.on("error", reject);
    child.stdin.on("error", () => {}); // a program may stop reading
    child.on("close", (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
    if (input !== null) child.stdin.end(input);
  });
}
