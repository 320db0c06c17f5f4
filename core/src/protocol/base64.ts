const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const sextets = new Map(alphabet.split("").map((char, index) => [char, index]));

/** Strict base64, RFC 4648 §4: padded, no blanks, no other characters. Null for anything else. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const length = text.replace(/=+$/, "").length;
  const octets = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < length; index += 1) {
    held = (held << 6) | (sextets.get(text.charAt(index)) ?? 0);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      octets[at] = (held >> bits) & 0xff;
      at += 1;
      held &= (1 << bits) - 1;
    }
  }
  // RFC 4648 §3.5: bits behind the last octet are zero
  return held === 0 ? octets : null;
}

export function encodeBase64(octets: Uint8Array): string {
  let text = "";
  for (let at = 0; at < octets.length; at += 3) {
    const left = octets.length - at;
    const held = ((octets[at] ?? 0) << 16) | ((octets[at + 1] ?? 0) << 8) | (octets[at + 2] ?? 0);
    text += alphabet.charAt(held >> 18);
    text += alphabet.charAt((held >> 12) & 63);
    text += left > 1 ? alphabet.charAt((held >> 6) & 63) : "=";
    text += left > 2 ? alphabet.charAt(held & 63) : "=";
  }
  return text;
}
