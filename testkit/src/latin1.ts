/** One character per octet. Not TextDecoder, whose `latin1` is windows-1252 by the Encoding standard. */
export const latin1 = (octets: Uint8Array): string =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString("latin1");
