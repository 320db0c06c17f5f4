import { tmpdir } from "node:os";
import { systemClock } from "../../src/host/services.ts";
import { MemoryBudget } from "../../src/message/budget.ts";
import { SpoolFiles } from "../../src/message/spool-files.ts";
import type { SpoolPlace } from "../../src/message/spool.ts";
import { joinOctets } from "../../src/protocol/octets.ts";

/** A place for bodies of at most `memoryOctets` each, with a budget for all that can be asked afterwards. */
export const place = (memoryOctets = 1024 * 1024, budgetOctets = 4 * memoryOctets, folder = tmpdir()): SpoolPlace => ({
  memoryOctets,
  budget: new MemoryBudget(budgetOctets),
  files: new SpoolFiles(folder, systemClock),
});

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const piece of pieces) chunks.push(piece);
  return joinOctets(chunks);
}

export const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");
export const octetsOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
