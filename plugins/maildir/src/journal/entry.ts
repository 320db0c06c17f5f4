import type { Place } from "./log.ts";
import type { Piece } from "./memory.ts";
import type { Target } from "./record.ts";

/** A message that has its room in the log, with what will stand there. */
export interface Staged {
  readonly entry: Entry;
  /** In `memory`, which is given back once its files are shown. */
  readonly record: Buffer;
  readonly memory: Piece;
}

/** One message on its way through the log. */
export interface Entry {
  readonly number: number;
  readonly targets: readonly Target[];
  /** Octets of its record. */
  readonly length: number;
  /** Its files are out. */
  isOut: boolean;
  /** Where it stands, once it is acknowledged. */
  place: Place | undefined;
  /** Hears that its files are shown. */
  shown: () => void;
  /** The disk could not keep what was written of its files: they are written anew. */
  doubtful: boolean;
}
