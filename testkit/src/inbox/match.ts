import { parseAddress } from "@mailhost/core";

/** A text is the whole of what is looked for, a pattern any part of it. */
export type Match = string | RegExp;

/** Whether an address or a subject is the one that is meant. */
export type Test = (text: string) => boolean;

/** Compares addresses as people do: the case of neither part counts. "" is the null reverse-path. Throws a TypeError on what is no address. */
export function addressTest(match: Match, what: string): Test {
  if (match instanceof RegExp) return patternTest(match);
  const wanted = comparable(match);
  if (wanted === undefined)
    throw new TypeError(`${what}: ${JSON.stringify(match)} is no address; use one, or a regular expression`);
  return (address) => comparable(address) === wanted;
}

export const textTest = (match: Match): Test =>
  match instanceof RegExp ? patternTest(match) : (text) => text === match;

/** `search` starts at the beginning whatever flags and earlier uses left behind. */
const patternTest =
  (pattern: RegExp): Test =>
  (text) =>
    text.search(pattern) >= 0;

function comparable(text: string): string | undefined {
  if (text === "") return text;
  const address = parseAddress(text);
  return address === undefined ? undefined : `${address.localPart.toLowerCase()}@${address.domain}`;
}
