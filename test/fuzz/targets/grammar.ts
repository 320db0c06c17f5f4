import { parseAddress, formatAddress, quotable, replyProblem, type Address } from "@mailhost/core";
import { difference } from "../../../core/test/laws/path-difference.ts";
import { decodeBase64, encodeBase64 } from "../../../core/src/protocol/base64.ts";
import { canonicalDomain, canonicalLiteral } from "../../../core/src/protocol/domain.ts";
import {
  asciiLower,
  asciiUpper,
  decodeUtf8,
  encodeUtf8,
  withoutTrailingBlanks,
} from "../../../core/src/protocol/octets.ts";
import { authParameter, mailParameters, readParameters } from "../../../core/src/protocol/parameters.ts";
import { readForwardPath, readReversePath } from "../../../core/src/protocol/path.ts";
import { printable } from "../../../core/src/protocol/printable.ts";
import { authArgument, ehloName } from "../../../core/src/protocol/syntax.ts";
import { octetsOf, textOf } from "../input.ts";
import type { Target } from "../target.ts";
import { grammarTokens } from "./tokens.ts";

// Every parser of core is given the same text, whatever it was meant for: a client chooses what it sends where.

const parameterTable = new Map([...mailParameters, ["AUTH", authParameter]]);

/** The oracle backtracks: it is asked about what it can answer soon. */
const oracleLength = 160;

// oxlint-disable-next-line no-control-regex -- control octets are what is looked for
const controls = /[\0-\x1f\x7f-\x9f]/;

const must = (holds: boolean, law: string, ...about: unknown[]): void => {
  if (!holds) throw new Error(`${law}: ${about.map((one) => JSON.stringify(one)).join(" ")}`);
};

const sameMailbox = (one: Address | undefined, other: Address): boolean =>
  one !== undefined && one.localPart === other.localPart && one.domain === other.domain;

/** An address, wherever it was read. */
function soundAddress(address: Address): void {
  must(!controls.test(address.text) && !controls.test(address.localPart), "no control octets in a path", address);
  if (address.domain === "") return;
  const canonical = canonicalDomain(address.domain) ?? canonicalLiteral(address.domain);
  must(canonical === address.domain, "the domain of an address is canonical", address);
  const printed = formatAddress(address);
  must(sameMailbox(parseAddress(printed), address), "an address prints and parses to the same", address, printed);
  must(sameMailbox(parseAddress(address.text), address), "as it was written it parses to the same", address);
}

function paths(text: string): void {
  const mailbox = parseAddress(text);
  if (mailbox !== undefined) soundAddress(mailbox);
  for (const read of [readReversePath(text), readForwardPath(text)]) {
    if (read === undefined) continue;
    must(read.end <= text.length && /^(?:[ \t]|$)/.test(text.slice(read.end)), "a path ends at a blank", text);
    if (read.path !== null) soundAddress(read.path);
  }
  if (text.length > oracleLength) return;
  const differs = difference(text);
  must(differs === undefined, "the grammar has it otherwise", differs);
}

function domains(text: string): void {
  const domain = canonicalDomain(text);
  if (domain !== undefined) {
    must(canonicalDomain(domain) === domain, "canonical is canonical already", text, domain);
    must(
      domain.split(".").every((label) => /^[a-z0-9_-]{1,63}$/.test(label)),
      "labels are A-labels",
      domain,
    );
    must(domain.length <= 255, "a domain has 255 octets at most", domain);
  }
  const literal = canonicalLiteral(text);
  if (literal === undefined) return;
  must(canonicalLiteral(literal) === literal, "canonical is canonical already", text, literal);
  must(/^\[(?:[\d.]+|IPv6:[\da-f:.]+)\]$/.test(literal), "a literal holds an address", literal);
}

function parameters(text: string): void {
  const read = readParameters(text, parameterTable);
  if ("code" in read) return must(replyProblem(read) === undefined, "a reply is a reply", read);
  const words = text.split(/[ \t]+/).filter((word) => word !== "");
  must(words.length === read.size, "as many parameters as words", words);
  for (const [index, [keyword, value]] of [...read].entries()) {
    must(parameterTable.has(keyword), "known parameters only", keyword);
    const again = value === null ? keyword : `${keyword}=${value}`;
    const word = words[index] ?? "";
    must(
      word.slice(keyword.length) === again.slice(keyword.length),
      "parameters are as they were written",
      word,
      again,
    );
    must(
      !/[\s=]/.test(value ?? "") && !controls.test((value ?? "").replaceAll(/[\x80-\x9f]/g, "")),
      "a value is esmtp-value",
      value,
    );
  }
}

function base64(text: string, octets: Uint8Array): void {
  must(
    textOf(decodeBase64(encodeBase64(octets)) ?? octetsOf("not at all")) === textOf(octets),
    "base64 there and back",
  );
  must(encodeBase64(octets) === Buffer.from(octets).toString("base64"), "base64 as others write it");
  const decoded = decodeBase64(text);
  const sound = Buffer.from(text, "base64").toString("base64") === text;
  must((decoded !== null) === sound, "base64 is strict", text);
  if (decoded !== null) must(encodeBase64(decoded) === text, "base64 back and there", text);
}

function words(text: string, octets: Uint8Array): void {
  must(textOf(encodeUtf8(text)) === textOf(octets), "UTF-8 is what it was");
  must(
    asciiUpper(text) === text.replaceAll(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) - 32)),
    "upper case of ASCII alone",
    text,
  );
  must(asciiLower(asciiUpper(text)) === asciiLower(text), "case is folded either way", text);
  must(/[^ \t]$|^$/.test(withoutTrailingBlanks(text)), "no blanks at the end", text);
  must(
    !controls.test(printable(text)) && !/[\u202a-\u202e\u2028\u2029]/.test(printable(text)),
    "what is printed is printable",
    text,
  );
  must(
    replyProblem({ code: 550, status: "5.7.1", text: quotable(text) }) === undefined,
    "what is quoted may be sent",
    text,
  );
  const name = ehloName(text);
  if ("value" in name) must(name.value.name === text && !/\s/.test(text), "a greeting is one word", text);
  const auth = authArgument(text);
  if ("value" in auth) must(!/ /.test(auth.value.mechanism), "a mechanism is one word", text);
}

export function grammar(): Target {
  return {
    tokens: grammarTokens,
    most: 16_384,
    run(pieces, watch) {
      const octets = octetsOf(pieces.join(""));
      const text = decodeUtf8(octets);
      if (text === undefined) return Promise.resolve(0); // 500 before any parser
      const took = watch();
      readReversePath(text);
      readForwardPath(text);
      canonicalDomain(text);
      canonicalLiteral(text);
      readParameters(text, parameterTable);
      decodeBase64(text);
      authArgument(text);
      const parsing = took();
      paths(text);
      domains(text);
      parameters(text);
      base64(text, octets);
      words(text, octets);
      return Promise.resolve(parsing);
    },
    close: () => Promise.resolve(),
  };
}
