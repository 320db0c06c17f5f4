import { describe } from "../host/guard.ts";
import type { Problem } from "../host/problems.ts";
import { errorCode } from "../message/error-code.ts";
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
      "Use systemd socket activation (fd: 3), setcap cap_net_bind_service=+ep on the Node binary, or a port from 1024 on.",
    ],
  ],
  ["EADDRNOTAVAIL", () => ["this machine has no such address", "Use one that `ip address` shows, or leave host out."]],
]);

/** What to tell when a place is not to be had, and how to mend it. `ours`: the port is this very server's, for another address. */
export function listenProblem(error: unknown, { host, port, fd }: Place, where: string, ours = false): Problem {
  const known = listenMends.get(errorCode(error))?.(port);
  const place = fd === undefined ? `${host ?? "*"}:${port}` : `fd ${fd}`;
  const [what, mend] = known ?? [describe(error), "See the error."];
  const restart = "This server has it at another host. Restart it, or change the port too.";
  const own = ours && errorCode(error) === "EADDRINUSE";
  return { code: "LISTEN_FAILED", where, what: `cannot listen on ${place}: ${what}`, mend: own ? restart : mend };
}
