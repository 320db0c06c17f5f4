// A look for each CR in JavaScript took half of the time that storing a large message took: line-ends.wat, compiled below,
// reads sixteen octets at once (core reads bodies so, see docs/decisions/0018).

/** `npm run wat` writes it. */
const compiled =
  "AGFzbQEAAAABCAFgA39/fwF/AwIBAAUDAQADBxECBm1lbW9yeQIABGNvcHkAAAqzAQGwAQICfwF7A0AgASAAayEDIAD9AAQAIQUgAiAF/QsEACAF/QwNDQ0NDQ0NDQ0NDQ0NDQ0N/SMgAEEBav0ABAD9DAoKCgoKCgoKCgoKCgoKCgr9I/1O/WQhBCAERSADQRBKcQRAIABBEGohACACQRBqIQIMAQsgA0EQIANBEEgbIQMgBEEBIAN0cmghAyAAIANqIQAgAiADaiECIAAgAUgEQCAAIANBEEdqIQAMAQsLIAIL";

/** Where the octets are put that are read, and where the copies of them; behind both a vector has room. */
const [inAt, outAt] = [0, 65_536 + 32];
const windowOctets = 65_536;

/** What line-ends.wat exports. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly copy: (at: number, end: number, out: number) => number;
}

/** Of the language's own, though the types of Node 20 do not know it. */
declare const WebAssembly: {
  readonly Module: new (octets: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
};

const program = new WebAssembly.Module(Buffer.from(compiled, "base64"));
const { memory, copy } = new WebAssembly.Instance(program).exports;
const octetsThere = new Uint8Array(memory.buffer);

const CR = 0x0d;
const LF = 0x0a;

/** Turns CRLF into LF and changes nothing else, wherever the octets are cut: a lone CR stays, CR CR LF becomes CR LF. */
export class LineEnds {
  /** The last piece ended with a CR, which waits for what follows. */
  #waiting = false;

  /** Puts them to that place in `out`, which has room for one octet more than there are. Gives where it ends there. */
  into(out: Uint8Array, place: number, octets: Uint8Array): number {
    if (octets.length === 0) return place;
    let length = place;
    if (this.#waiting && octets[0] !== LF) out[length++] = CR;
    this.#waiting = octets.at(-1) === CR;
    const end = octets.length - Number(this.#waiting);
    for (let at = 0; at < end; at += windowOctets) length = copyWindow(out, length, octets, at, end);
    return length;
  }

  /** Puts what still waits to that place. Gives where it ends there. */
  end(out: Uint8Array, place: number): number {
    if (!this.#waiting) return place;
    out[place] = CR;
    return place + 1;
  }
}

/** The octets from `at` to `end`, as far as the window goes. What follows them is there to be looked at. */
function copyWindow(out: Uint8Array, place: number, octets: Uint8Array, at: number, end: number): number {
  const to = Math.min(end, at + windowOctets);
  octetsThere.set(octets.subarray(at, to + 1), inAt);
  const copied = octetsThere.subarray(outAt, copy(inAt, inAt + to - at, outAt));
  out.set(copied, place);
  return place + copied.length;
}
