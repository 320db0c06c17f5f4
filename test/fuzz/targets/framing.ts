import { isDeepStrictEqual } from "node:util";
import { type BareLineEnds, DotReader, stuff } from "../../../core/src/protocol/body.ts";
import { Input } from "../../../core/src/protocol/lines.ts";
import { decodeUtf8, encodeUtf8 } from "../../../core/src/protocol/octets.ts";
import { type Pieces, octetsOf, textOf } from "../input.ts";
import type { Target } from "../target.ts";
import { framingTokens } from "./tokens.ts";

/** Feeds pieces as a socket would: each is lent for the call, and its memory is somebody else's afterwards. */
function lend(piece: string, take: (octets: Uint8Array) => void): void {
  const lent = octetsOf(piece);
  take(lent);
  lent.fill(0x58);
}

function linesOf(pieces: Pieces, most: number): string[] {
  const input = new Input();
  const lines: string[] = [];
  for (const piece of pieces) {
    if (piece === "") continue; // no network delivers nothing
    lend(piece, (octets) => {
      input.push(octets);
      for (let line = input.line(most); line !== undefined; line = input.line(most))
        lines.push(typeof line === "string" ? `! ${line}` : textOf(encodeUtf8(line.text)));
      input.keep();
    });
    // P10: one line and what came with it
    if (input.length > most) throw new Error(`${input.length} octets wait for a line of ${most}`);
  }
  return lines;
}

/** Lines by the letter: an LF ends one, and only behind a CR it is a line. */
function expectedLines(text: string, most: number): string[] {
  return text
    .split(/(?<=\n)/)
    .filter((line) => line.endsWith("\n"))
    .map((line) => {
      if (line.length > most) return "! tooLong";
      if (!line.endsWith("\r\n")) return "! badLineEnd";
      // oxlint-disable-next-line no-control-regex -- control octets are what is looked for
      const bad = /[\0-\x08\x0a-\x1f\x7f]/.test(line.slice(0, -2)) || decodeUtf8(octetsOf(line)) === undefined;
      return bad ? "! badOctets" : line.slice(0, -2);
    });
}

interface Body {
  readonly content: string;
  /** Behind its end; -1 where it goes on. */
  readonly end: number;
  readonly sawBare: boolean;
}

function bodyOf(pieces: Pieces, bare: BareLineEnds): Body {
  const reader = new DotReader(bare);
  let content = "";
  let before = 0;
  for (const piece of pieces) {
    let end = -1;
    lend(piece, (octets) => (end = reader.push(octets, (slice) => (content += textOf(slice)))));
    if (end >= 0) return { content, end: before + end, sawBare: reader.sawBare };
    before += piece.length;
  }
  return { content, end: -1, sawBare: reader.sawBare };
}

/** A body by the letter of RFC 5321 §4.1.1.4 and §4.5.2: a CRLF stands before it, CRLF . CRLF ends it. */
function expectedBody(text: string, bare: BareLineEnds): Body | undefined {
  const behind = `\r\n${text}`;
  const dot = behind.indexOf("\r\n.\r\n");
  if (dot < 0) return undefined; // what an open body holds back is its own affair
  const stuffed = behind.slice(0, dot + 2);
  const content = stuffed.replaceAll(/\r\n\./g, "\r\n").slice(2);
  const sawBare = /\r(?!\n)|(?<!\r)\n/.test(content);
  return {
    content: content.replaceAll(/\r(?!\n)|(?<!\r)\n/g, bare === "normalize" ? "\r\n" : ""),
    end: dot + 3,
    sawBare,
  };
}

function same(what: string, got: unknown, wanted: unknown): void {
  if (!isDeepStrictEqual(got, wanted))
    throw new Error(`${what}: ${JSON.stringify(got)} and not ${JSON.stringify(wanted)}`);
}

const kinds = ["refuse", "normalize"] as const;

/** Octets the readers of core take at once: what stands across them must be as anywhere else. */
const [window, group, block] = [65_536, 4096, 16];

/** The text within a line, and so many octets further on in it: everything is as it was, so much later. */
function shifted(text: string, by: number, bare: BareLineEnds): void {
  const near = expectedBody(`x${text}`, bare);
  if (near === undefined) return;
  const { content, end, sawBare } = bodyOf([`${"x".repeat(by)}x${text}`], bare);
  same(`a body ${by} octets on`, { content: content.slice(by), end: end - by, sawBare }, near);
}

/** The text across what core reads at once. */
function across(text: string): void {
  const half = text.length >> 1;
  for (const bare of kinds) {
    shifted(text, window - half, bare);
    if (text.length <= 256) for (let by = 1; by <= block; by += 1) shifted(text, by, bare);
  }
  const lines = "NOOP\r\n".repeat(Math.max(1, Math.floor((group - half) / 6))) + text;
  same("lines behind others", linesOf([lines], 512), expectedLines(lines, 512));
}

export function framing(): Target {
  return {
    tokens: framingTokens,
    most: 2048,
    run(pieces, watch) {
      const text = pieces.join("");
      const octets = text.length <= 256 ? Array.from(text) : undefined;
      const took = watch();
      for (const most of [16, 512]) linesOf(pieces, most);
      for (const bare of kinds) bodyOf(pieces, bare);
      const reading = took();
      for (const most of [16, 512]) {
        const lines = expectedLines(text, most);
        same("lines, cut", linesOf(pieces, most), lines);
        same("lines, uncut", linesOf([text], most), lines);
        if (octets !== undefined) same("lines, octet by octet", linesOf(octets, most), lines);
      }
      for (const bare of kinds) {
        const body = bodyOf([text], bare);
        same("a body, cut", bodyOf(pieces, bare), body);
        if (octets !== undefined) same("a body, octet by octet", bodyOf(octets, bare), body);
        const expected = expectedBody(text, bare);
        if (expected === undefined) same("a body without an end", body.end, -1);
        else same("a body", body, expected);
      }
      across(text);
      // A lone CR or LF is nobody's content
      const content = text.replaceAll(/\r(?!\n)|(?<!\r)\n/g, "\r\n");
      const stuffed = textOf(stuff(octetsOf(content)));
      const whole = content === "" || content.endsWith("\r\n") ? content : `${content}\r\n`;
      same("unstuff(stuff(m))", bodyOf([stuffed], "refuse"), { content: whole, end: stuffed.length, sawBare: false });
      return Promise.resolve(reading);
    },
    close: () => Promise.resolve(),
  };
}
