import { relative } from "node:path";
import type { Mailhost } from "@mailhost/core";
import type { Configuration } from "../config/configuration.ts";
import { watcherName } from "../dialogue/watcher.ts";
import { paint } from "../report.ts";

/** What `start` says once it listens. */
export function banner(server: Mailhost, { file, mail }: Configuration): string {
  const lines = [
    `${paint("bold", "mailhost")} is listening (${file === undefined ? "no configuration: embedded defaults" : file})`,
  ];
  for (const { listener, address, port } of server.addresses) {
    const generation = server.generations.find((one) => one.listener.name === listener);
    const { mode, implicitTls, serverName } = generation?.listener ?? {};
    const plugins = (generation?.plugins ?? [])
      .filter(({ name }) => name !== watcherName)
      .map(({ name, version }) => `${name} ${version}`)
      .join(", ");
    const more = [mode, implicitTls === true ? "TLS" : "", listener === String(port) ? "" : listener];
    lines.push(`  ${paint("green", place(address, port))} as ${serverName ?? ""} (${more.filter(Boolean).join(", ")})`);
    lines.push(`    ${plugins}`);
  }
  if (mail !== undefined) lines.push(...firstSteps(server, mail));
  return `${lines.join("\n")}\n`;
}

function firstSteps(server: Mailhost, mail: string): string[] {
  const [first] = server.addresses;
  const port = first?.port ?? 2525;
  const host = first === undefined ? "127.0.0.1" : reachable(first.address);
  const near = relative(process.cwd(), mail);
  const folder = near === "" || near.startsWith("..") ? mail : `./${near}`;
  const options = `${host === "127.0.0.1" ? "" : ` --server ${host}`}${port === 2525 ? "" : ` --port ${port}`}`;
  const url = `smtp://${host.includes(":") ? `[${host}]` : host}:${port}/client.example`;
  return [
    `  mail for everybody lands in ${paint("green", folder)}`,
    "  send a first message:",
    `    npx mailhost send${options}`,
    `    printf 'Subject: hello\\r\\n\\r\\nIt works.\\r\\n' | curl -sS ${url} --mail-from me@client.example --mail-rcpt you@example.com -T -`,
    `  and read it: cat ${folder}/*/*/new/*`,
  ];
}

const reachable = (address: string): string => (address === "::" || address === "0.0.0.0" ? "127.0.0.1" : address);

const place = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
