import { type Socket } from "node:net";
import { TLSSocket, type TLSSocketOptions } from "node:tls";
import { disown, isThenable } from "../host/guard.ts";
import type { Upgrade } from "../protocol/machine.ts";
import type { TlsInfo } from "../protocol/session.ts";

/** Options of the TLS layer, asked for each handshake: a new certificate needs no restart. */
export type TlsOptions = () => TLSSocketOptions;

interface TlsUpgrade extends Upgrade {
  readonly upgrade: "tls";
  readonly options: TlsOptions;
}

/** An upgrade to TLS, for a verb's step or a listener's preamble. */
export const tlsUpgrade = (options: TlsOptions): Upgrade => ({ upgrade: "tls", options }) as TlsUpgrade;

const isTls = (upgrade: Upgrade): upgrade is TlsUpgrade => upgrade.upgrade === "tls" && "options" in upgrade;

/** Runs the handshake on the raw socket. Whatever goes wrong, `done` hears of it once, as it was thrown. */
export function secure(
  raw: Socket,
  upgrade: Upgrade,
  milliseconds: number,
  done: (result: { socket: TLSSocket; info: TlsInfo } | { error: unknown }) => void,
): void {
  if (!isTls(upgrade)) return done({ error: new Error(`no such upgrade: ${upgrade.upgrade}`) });
  if (raw.readableLength > 0) return done({ error: new Error("octets in clear before the handshake") });
  let over = false;
  const finish = (result: Parameters<typeof done>[0]): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (!("error" in result)) return done(result);
    // Often told from within the layer: Node crashes when the socket below it goes before it returns
    setImmediate(done, result);
  };
  const timer = setTimeout(() => finish({ error: new Error("TLS handshake took too long") }), milliseconds);
  let socket: TLSSocket;
  try {
    const options = upgrade.options();
    if (disown(options)) throw new TypeError("its options are a promise");
    const held = holding(options, (error) => finish({ error }));
    const once: TLSSocketOptions & { highWaterMark: number } = { ...held, highWaterMark: 1 }; // read once more in a pause
    socket = new TLSSocket(raw, { ...once, isServer: true });
  } catch (error) {
    return finish({ error });
  }
  socket.on("error", (error) => finish({ error }));
  // A socket that no tls.Server made keeps what breaks the layer, and renegotiation without end, to this event
  socket.on("_tlsError", (error: Error) => {
    finish({ error });
    socket.destroy();
  });
  raw.on("error", (error) => finish({ error }));
  // A half-closed connection is seen by the layer that reads
  for (const event of ["end", "close"])
    socket.once(event, () => finish({ error: new Error("closed during the TLS handshake") }));
  socket.on("secure", () => finish({ socket, info: describe(socket) }));
}

/** What its callbacks throw or answer is Node's to judge; what they reject with would become the process's. */
function holding(options: TLSSocketOptions, fail: (error: unknown) => void): TLSSocketOptions {
  const hold = (callback: (...its: unknown[]) => unknown) =>
    function held(this: unknown, ...its: unknown[]): unknown {
      const returned: unknown = Reflect.apply(callback, this, its); // Node calls it on the socket
      if (isThenable(returned)) returned.then(undefined, fail);
      return returned;
    };
  const held = Object.entries(options).map(([key, its]) => [key, typeof its === "function" ? hold(its) : its]);
  return Object.fromEntries(held);
}

function describe(socket: TLSSocket): TlsInfo {
  // `servername` of a server-side socket: the SNI, or false
  const { servername } = socket as TLSSocket & { servername?: string | false };
  return {
    protocol: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher().standardName,
    ...(typeof servername === "string" ? { servername } : {}),
  };
}
