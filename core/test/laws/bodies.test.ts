import { describe, expect, test } from "vitest";
import { type BareLineEnds, DotReader, stuff } from "../../src/protocol/body.ts";
import { times } from "./form.ts";

const [CR, LF, DOT] = [0x0d, 0x0a, 0x2e];
const alphabet = [CR, LF, DOT, 0x00, 0x61];
const length = times(8, 10);
/** 1 + 5 + 25 + … + 5^length. */
const count = (5 ** (length + 1) - 1) / 4;

/** Calls with every string of the alphabet up to `length`; the array is the same each time. */
function everyString(check: (octets: Uint8Array) => void): number {
  let strings = 0;
  for (let long = 0; long <= length; long += 1) {
    const octets = new Uint8Array(long);
    for (let number = 0; number < alphabet.length ** long; number += 1) {
      for (let at = 0, rest = number; at < long; at += 1, rest = Math.floor(rest / alphabet.length))
        octets[at] = alphabet[rest % alphabet.length] ?? 0;
      check(octets);
      strings += 1;
    }
  }
  return strings;
}

/** Index behind CRLF . CRLF, where a CRLF stands before the first octet (RFC 5321 §4.1.1.4); -1 where there is none. */
function endOf(octets: Uint8Array): number {
  const at = (index: number): number | undefined => (index === -2 ? CR : index === -1 ? LF : octets[index]);
  for (let dot = 0; dot + 2 < octets.length; dot += 1)
    if (at(dot) === DOT && at(dot - 2) === CR && at(dot - 1) === LF && at(dot + 1) === CR && at(dot + 2) === LF)
      return dot + 3;
  return -1;
}

/** A CR without LF or an LF without CR. */
const hasBare = (octets: Uint8Array): boolean =>
  octets.some((octet, at) =>
    octet === CR ? octets[at + 1] !== LF : octet === LF ? at === 0 || octets[at - 1] !== CR : false,
  );

const show = (octets: Uint8Array): string => JSON.stringify(Buffer.from(octets).toString("latin1"));
const nowhere = (): void => {};

describe.each(["refuse", "normalize"] satisfies BareLineEnds[])(
  "of every string of CR, LF, dot, NUL and a (%s)",
  (bare) => {
    test("none ends a body but by CRLF . CRLF, and every lone CR and LF is seen", () => {
      const wrong: string[] = [];
      const strings = everyString((octets) => {
        const reader = new DotReader(bare);
        const end = reader.push(octets, nowhere);
        const body = octets.subarray(0, end < 0 ? octets.length : end);
        // A CR that came last may still become CRLF
        const settled = body.at(-1) === CR ? body.subarray(0, -1) : body;
        if (end !== endOf(octets) || reader.sawBare !== hasBare(settled)) wrong.push(show(octets));
      });
      expect(wrong.slice(0, 5)).toEqual([]);
      expect(strings).toBe(count);
    });

    test("what was stuffed ends where it ends and is unstuffed to what it was", () => {
      const wrong: string[] = [];
      const content = new Uint8Array(length + 12);
      everyString((octets) => {
        const sent = stuff(octets);
        const reader = new DotReader(bare);
        let used = 0;
        const end = reader.push(sent, (slice) => {
          content.set(slice, used);
          used += slice.length;
        });
        const whole = end === sent.length && reader.sawBare === hasBare(octets);
        // What has lone line ends is refused or mended: nobody promises it back
        if (!whole || (!reader.sawBare && !isContent(content.subarray(0, used), octets))) wrong.push(show(octets));
      });
      expect(wrong.slice(0, 5)).toEqual([]);
    });
  },
);

/** The content, with a CRLF at its end where it had none. */
function isContent(got: Uint8Array, octets: Uint8Array): boolean {
  const complete = octets.length === 0 || (octets.at(-2) === CR && octets.at(-1) === LF);
  return Buffer.compare(got, complete ? octets : Uint8Array.of(...octets, CR, LF)) === 0;
}
