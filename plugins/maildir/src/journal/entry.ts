import type { Place } from "./log.ts";
import type { Content, Target } from "./record.ts";

/** One message on its way through the log. */
export interface Entry {
  readonly number: number;
  readonly targets: readonly Target[];
  /** Octets of its record, and those that were promised for it. */
  readonly length: number;
  readonly promised: number;
  /** Until its files are shown. */
  content: Content | undefined;
  /** Where it stands, once it is acknowledged. */
  place: Place | undefined;
  /** Hears that its files are shown. */
  shown: () => void;
  /** The disk could not keep what was written of its files: they are written anew. */
  doubtful: boolean;
}
