import type { Socket } from "node:net";

/** Counts what a server's own sockets took from the kernel while replies to the same client were still unsent. */
export class UnsentWatch {
  /** The most octets of one stretch of time. */
  most = 0;

  watch(socket: Socket): void {
    /** Octets read when the replies began to wait; undefined while none wait. */
    let since: number | undefined;
    const look = (): void => {
      if (since !== undefined) this.most = Math.max(this.most, socket.bytesRead - since);
      since = socket.writableLength === 0 || socket.destroyed ? undefined : (since ?? socket.bytesRead);
      // What is read into a paused socket emits nothing
      if (since !== undefined) setTimeout(look, 5).unref();
    };
    const write = socket.write.bind(socket) as (octets: Uint8Array, done?: () => void) => boolean; // as core calls it
    socket.write = (octets: Uint8Array, done?: unknown) => {
      look();
      const room = write(octets, typeof done === "function" ? (done as () => void) : undefined);
      look();
      return room;
    };
    socket.on("drain", look);
  }
}
