import type { Socket } from "node:net";

/** Who hears of what happens to a socket. */
export interface SocketOwner {
  /** Octets came. They are lent for the call. */
  received(octets: Buffer): void;
  /** No more will come. */
  ended(): void;
  failed(error: Error): void;
  closed(): void;
}

const owner = Symbol("owner");

/** Node calls a listener with its socket as `this`: those that find the owner there are the same for all sockets. */
interface OwnedSocket extends Socket {
  [owner]?: SocketOwner;
}

/** Tells how the socket ends. Without it an error of a socket would end the process. */
export function own(socket: OwnedSocket, by: SocketOwner): void {
  socket[owner] = by;
  socket.on("error", onError);
  socket.on("close", onClose);
}

/** Tells what comes, too. */
export function attach(socket: OwnedSocket, by: SocketOwner): void {
  socket[owner] = by;
  socket.on("data", onData);
  socket.on("end", onEnd);
}

export function detach(socket: Socket): void {
  socket.off("data", onData);
  socket.off("end", onEnd);
}

function onData(this: OwnedSocket, octets: Buffer): void {
  this[owner]?.received(octets);
}

function onEnd(this: OwnedSocket): void {
  this[owner]?.ended();
}

function onError(this: OwnedSocket, error: Error): void {
  this[owner]?.failed(error);
}

function onClose(this: OwnedSocket): void {
  this[owner]?.closed();
}
