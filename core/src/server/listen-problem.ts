import type { Problem } from "../host/problems.ts";
import type { Place } from "./settings.ts";

const listenMends = new Map<string, (port: number) => [what: string, mend: string]>([
  [
    "EADDRINUSE",
    (port) => [
      `port ${port} is taken`,
      `Stop the other server (ss -ltnp 'sport = :${port}' names it) or use another port.`,
    ],
  ],
  [
    "EACCES",
    (port) => [
      `port ${port} is privileged`,
      "Use systemd socket activation (fd: 3), setcap cap_net_bind_service, or a port from 1024 on.",
    ],
  ],
  ["EADDRNOTAVAIL", () => ["this machine has no such address", "Use one that `ip address` shows, or leave host out."]],
]);

/** What to tell when a place is not to be had, and how to mend it. */
export function listenProblem(error: unknown, { host, port, fd }: Place, where: string): Problem {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = listenMends.get(code)?.(port);
  const place = fd === undefined ? `${host ?? "*"}:${port}` : `fd ${fd}`;
  const [what, mend] = known ?? [error instanceof Error ? error.message : String(error), "See the error."];
  return { code: "LISTEN_FAILED", where, what: `cannot listen on ${place}: ${what}`, mend };
}
