/**
 * Text for a terminal or a log: controls, format characters (they turn text round), line separators and lone surrogates
 * are named, `\x1b` or `\u{202e}`; words of any language are left alone.
 */
export const printable = (text: string): string => (plain.test(text) ? text : text.replace(unprintable, named));

/** Nearly everything, and told at a tenth of the price. */
const plain = /^[ -~]*$/;
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

const named = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
};
