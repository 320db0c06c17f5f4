// Loaded into the server beside the command (node --expose-gc --import): tells its parent how much memory a collection leaves.
import { setTimeout as sleep } from "node:timers/promises";

async function measure() {
  for (let time = 0; time < 3; time += 1) {
    globalThis.gc();
    await sleep(20); // buffers are freed behind it
  }
  process.send?.(process.memoryUsage());
}

process.on("message", () => void measure());
