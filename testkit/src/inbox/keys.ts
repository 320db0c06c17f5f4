import { nearest } from "@mailhost/core";

/** Programs without types misspell too, and a filter that nobody reads fits everything. Throws a TypeError on a key that is none. */
export function checkKeys(given: object, known: readonly string[], what: string): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const meant = nearest(key, known);
    throw new TypeError(
      `${what} has no ${key}${meant === undefined ? `; it has ${known.join(", ")}` : `: did you mean ${meant}?`}`,
    );
  }
}
