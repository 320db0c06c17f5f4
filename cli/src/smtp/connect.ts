import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { RunTimeError } from "../exit.ts";
import { SmtpClient, type SmtpClientOptions } from "./client.ts";

/** Where to, and whose certificates to believe. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly implicitTls: boolean;
  /** Any certificate will do. */
  readonly insecure: boolean;
}

/** A dialogue over a socket. */
export interface Connected {
  readonly client: SmtpClient;
  /** Runs the handshake behind STARTTLS. Rejects with a RunTimeError. */
  readonly secure: () => Promise<void>;
  readonly hangUp: () => void;
}

/** Connects. Rejects with a RunTimeError that says what to do. */
export async function connectTo(to: Destination, options: SmtpClientOptions): Promise<Connected> {
  const { host, port, implicitTls } = to;
  let socket: Socket = implicitTls ? connectTls({ host, port, ...believe(to) }) : connectPlain({ host, port });
  await connected(socket, implicitTls ? "secureConnect" : "connect", to);
  const client = new SmtpClient({ send: (octets) => void socket.write(octets) }, options);
  const attach = (): void => {
    socket.on("data", (octets: Buffer) => client.heard(octets));
    socket.on("error", (error) => client.closed(error.message));
    socket.on("close", () => client.closed("the server hung up"));
  };
  attach();
  return {
    client,
    async secure() {
      const raw = socket;
      raw.removeAllListeners("data");
      socket = connectTls({ socket: raw, host, ...believe(to) });
      await connected(socket, "secureConnect", to);
      attach();
    },
    hangUp: () => socket.destroy(),
  };
}

/** SNI names hosts, not addresses (RFC 6066 §3). */
const believe = ({ host, insecure }: Destination) => ({
  rejectUnauthorized: !insecure,
  ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
});

function connected(socket: Socket, event: "connect" | "secureConnect", to: Destination): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(new RunTimeError(explainFailure(error, to)));
    socket.once("error", failed);
    socket.setTimeout(30_000, () => socket.destroy(new Error("no answer within 30 s")));
    socket.once(event, () => {
      socket.off("error", failed);
      socket.setTimeout(0);
      resolve();
    });
  });
}

function explainFailure(error: Error, { host, port }: Destination): string {
  const code = "code" in error ? String(error.code) : "";
  if (code === "ECONNREFUSED") return `nobody listens on ${host}:${port}. Start a server: npx mailhost start`;
  if (/CERT|SIGNED|ALTNAME/.test(code))
    return `the certificate of ${host} is not to be believed: ${error.message}. For a test, --insecure takes any`;
  return `no connection to ${host}:${port}: ${error.message}`;
}
