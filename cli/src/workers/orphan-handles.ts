import type { EventEmitter } from "node:events";

/** What node:cluster hands to a worker that wants to listen. `onconnection` is set once a server has it. */
interface Handle {
  readonly onconnection?: unknown;
  readonly close: () => void;
}

const handed = new Set<Handle>();

const isHandle = (value: unknown): value is Handle =>
  typeof value === "object" && value !== null && "getsockname" in value && "close" in value;

/**
 * A port that is taken leaves a handle behind: Node tells the server that asked, and closes nothing (`lib/net.js`,
 * listenOnPrimaryHandle). The primary would give the same broken one to every later worker, though the port were free
 * again. No public call reaches it, so it is noted as it comes.
 */
export function watchHandles(): void {
  const emitter: EventEmitter = process;
  emitter.on("internalMessage", (_message: unknown, handle: unknown) => {
    if (isHandle(handle)) handed.add(handle);
  });
}

/** Closes what no server took. To be called when nobody is about to listen. */
export function closeOrphanHandles(): void {
  for (const handle of handed) if (typeof handle.onconnection !== "function") handle.close();
  handed.clear();
}
