import { MessageChannel } from "node:worker_threads";

/** Nobody is at the other end: what is handed over there is freed at once. */
const { port1: nowhere, port2 } = new MessageChannel();
port2.close();

/** Handing over costs as much as two system calls: what is smaller is left to the collector, which begins once tens of megabytes wait. */
const worthOctets = 16 * 1024;

/**
 * Frees the memory of octets that nobody will look at again. The collector counts them by their small handles and lets
 * tens of megabytes of buffers wait, which a flood of one client would then cost (P10).
 */
export function giveBack(buffer: ArrayBufferLike): void {
  if (buffer.byteLength >= worthOctets && buffer instanceof ArrayBuffer) nowhere.postMessage(undefined, [buffer]);
}
