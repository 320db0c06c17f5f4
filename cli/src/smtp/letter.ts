import { randomUUID } from "node:crypto";
import { formatDate } from "@mailhost/core";

/** What a letter says. */
export interface Letter {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly body: string;
}

/** A whole message (RFC 5322) with its header, lines ended by CRLF. */
export function writeLetter({ from, to, subject, body }: Letter): Uint8Array {
  const header = [
    `Date: ${formatDate(Date.now())}`,
    `From: <${from}>`,
    `To: ${to.map((one) => `<${one}>`).join(",\r\n ")}`,
    `Subject: ${encodeWords(subject)}`,
    `Message-ID: <${randomUUID()}@${from.split("@").at(-1) ?? "localhost"}>`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
  ];
  return withLineEnds(Buffer.from(`${header.join("\r\n")}\r\n\r\n${body}\n`));
}

/** Octets as they are, but every line ended by CRLF: lone CR and LF may not travel (RFC 5321 §2.3.8). */
export function withLineEnds(content: Uint8Array): Uint8Array {
  const text = Buffer.from(content)
    .toString("latin1")
    .replace(/\r\n|\r|\n/g, "\r\n");
  return Buffer.from(text.endsWith("\r\n") || text === "" ? text : `${text}\r\n`, "latin1");
}

/** RFC 2047 encoded words where ASCII is not enough, each within 75 characters. */
function encodeWords(text: string): string {
  const line = text.replace(/\s+/g, " ");
  if (/^[ -~]*$/.test(line)) return line;
  const words: string[] = [];
  let piece = "";
  for (const character of line) {
    if (Buffer.byteLength(piece + character) > 42) {
      words.push(piece);
      piece = "";
    }
    piece += character;
  }
  words.push(piece);
  return words.map((word) => `=?UTF-8?B?${Buffer.from(word).toString("base64")}?=`).join("\r\n ");
}
