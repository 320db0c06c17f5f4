export const CR = 0x0d;
export const LF = 0x0a;
export const DOT = 0x2e;

/** Folds A to Z and nothing else: Unicode folding once ran `RſET` as RSET. */
export const asciiUpper = (text: string): string =>
  /[a-z]/.test(text) ? text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()) : text;

/** Folds a to z and nothing else. */
export const asciiLower = (text: string): string =>
  /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;

/** The UTF-16 code that stands there, or -1 beyond the end. */
export const codeAt = (text: string, index: number): number => (index < text.length ? text.charCodeAt(index) : -1);

/** SP or TAB, the blanks of SMTP, stands there. */
export function isBlankAt(text: string, index: number): boolean {
  const code = codeAt(text, index);
  return code === 0x20 || code === 0x09;
}

/** Drops blanks from the end: what Unicode calls blank is text here. */
export function withoutTrailingBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && isBlankAt(text, end - 1)) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}

export const isAscii = (text: string): boolean => !/[\u0080-\uffff]/.test(text);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of UTF-8 octets, or undefined when they are not UTF-8. */
export function decodeUtf8(octets: Uint8Array): string | undefined {
  try {
    return utf8.decode(octets);
  } catch {
    return undefined;
  }
}

export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);

let sheet = new Uint8Array(0);
let written = 0;

/** The octets of ASCII text. Many short texts share one piece of memory, which is what they would cost otherwise. */
export function encodeAscii(text: string): Uint8Array {
  if (text.length > 1024) return encoder.encode(text);
  if (written + text.length > sheet.length) {
    sheet = new Uint8Array(16 * 1024);
    written = 0;
  }
  const octets = sheet.subarray(written, written + text.length);
  for (let at = 0; at < text.length; at += 1) octets[at] = text.charCodeAt(at);
  written += text.length;
  return octets;
}

export function joinOctets(chunks: readonly Uint8Array[]): Uint8Array {
  const only = chunks[0];
  if (chunks.length === 1 && only !== undefined) return only;
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
