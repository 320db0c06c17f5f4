import { decodeBase64 } from "./base64.ts";
import { LF } from "./octets.ts";

// Octets looked at one by one in JavaScript cost seven times what the network costs. So the bulk of a body, lines that end
// with CRLF, is read sixteen at a time: clean.wat, compiled below. Everything that needs a decision is left to body.ts.

/** `npm run wat` writes it. */
const compiled =
  "AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQADBgYBfwFBAAsHGwMGbWVtb3J5AgAHd3JpdHRlbgMABGNvcHkAAArFAgHCAgIEfwJ7IAIhAyAAIQQCQANAIAEgAGshBiAA/QAEACEHIABBAWv9AAQAIQggAiAH/QsEACAI/QwNDQ0NDQ0NDQ0NDQ0NDQ0N/SMgB/0MCgoKCgoKCgoKCgoKCgoKCv0j/VEgCP0MCgoKCgoKCgoKCgoKCgoKCv0jIAf9DC4uLi4uLi4uLi4uLi4uLi79I/1O/VD9ZCEFIAVFIAZBEEpxBEAgAEEQaiEAIAJBEGohAgwBCyAGQRAgBkEQSBshBiAFQQEgBnRyaCEGIAAgBmohACACIAZqIQIgACABTg0BIAAtAABBLkcNASAAQQFrLQAAQQ1GDQEgAEEBaiABTg0BIABBAWotAABBDUYNASAAQQFqIQAMAAsLIAAgBEogAEEBay0AAEENRnEEQCAAQQFrIQAgAkEBayECCyACIANrJAAgAAs=";

/** Where the octets are put that are read, behind the one before them, and where the copies of them. */
const [inAt, outAt] = [16, 16 + 65_536 + 16];
const windowOctets = 65_536;

/** What clean.wat exports. */
interface Clean {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly copy: (at: number, end: number, out: number) => number;
  readonly written: { readonly value: number };
}

/** Of the language's own, though the types of Node 20 do not know it. */
declare const WebAssembly: {
  readonly Module: new (octets: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Clean };
};

const program = new WebAssembly.Module(decodeBase64(compiled) ?? new Uint8Array(0));
const { memory, copy, written } = new WebAssembly.Instance(program).exports;
const octets = new Uint8Array(memory.buffer);

/** Octets of a chunk, sixty-four kibibytes at a time. One reader uses it at a time: what it reads in one tick. */
let first = 0;
let behind = 0;

/** Takes in a piece of the chunk. Gives the index behind it. */
export function openWindow(chunk: Uint8Array, at: number): number {
  first = at;
  behind = Math.min(chunk.length, at + windowOctets);
  octets.set(at === 0 && behind === chunk.length ? chunk : chunk.subarray(at, behind), inAt);
  return behind;
}

/**
 * Copies clean text from `at` on, dots unstuffed, up to what needs a closer look: a CR or LF that stands alone or last,
 * or a dot at the start of a line that may be the end. Gives the index it came to; `copied` is the text.
 */
export function copyClean(at: number, isLineStart: boolean): number {
  const from = at - first + inAt;
  octets[from - 1] = isLineStart ? LF : 0;
  return copy(from, behind - first + inAt, outAt) - inAt + first;
}

/** What was copied, lent until the next copy. */
export const copied = (): Uint8Array => octets.subarray(outAt, outAt + written.value);
