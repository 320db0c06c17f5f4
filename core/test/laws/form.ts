/** `npm run laws:long`: the same laws, as far as one's patience goes. */
export const long = process.env["LAWS"] === "long";

/** So many in CI, so many in the long form. */
export const times = (short: number, longer: number): number => (long ? longer : short);

/** The seed of everything random: fixed in CI, anew in the long form, printed in both cases when a law breaks. */
export const seed = Number(process.env["LAWS_SEED"] ?? (long ? Date.now() % 2 ** 31 : 20_260_101));

/** A small generator of numbers below `below` (mulberry32): the same seed gives the same dialogues. */
export function random(from: number): (below: number) => number {
  let state = from >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
