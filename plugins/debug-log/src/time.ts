let last = 0;
let text = new Date(last).toISOString();

/** ISO 8601, UTC, milliseconds. Many events share one. */
export function isoTime(at: number): string {
  if (at !== last) text = new Date(at).toISOString();
  last = at;
  return text;
}
