import { domainToASCII } from "node:url";

// Paths by the letter of RFC 5321 §4.1.2 and §4.1.3 with RFC 6531 §3.3: slow, backtracking, one rule of the grammar a line.
// A rule gives every place where it may end. What mailhost takes beside it stands at the end, each with its reason.

type Rule = (text: string, from: number) => number[];

const unique = (ends: number[]): number[] => [...new Set(ends)];
const octet =
  (allowed: RegExp): Rule =>
  (text, from) => {
    const character = String.fromCodePoint(text.codePointAt(from) ?? 0);
    return from < text.length && allowed.test(character) ? [from + character.length] : [];
  };
const word =
  (literal: string): Rule =>
  (text, from) =>
    text.slice(from, from + literal.length).toLowerCase() === literal.toLowerCase() ? [from + literal.length] : [];
const all =
  (...rules: Rule[]): Rule =>
  (text, from) =>
    rules.reduce<number[]>((ends, rule) => unique(ends.flatMap((end) => rule(text, end))), [from]);
const either =
  (...rules: Rule[]): Rule =>
  (text, from) =>
    unique(rules.flatMap((rule) => rule(text, from)));
const times =
  (least: number, most: number, rule: Rule): Rule =>
  (text, from) => {
    const found: number[] = least === 0 ? [from] : [];
    let ends = [from];
    for (let count = 1; count <= most && ends.length > 0; count += 1) {
      ends = unique(ends.flatMap((end) => rule(text, end)));
      if (count >= least) found.push(...ends);
    }
    return unique(found);
  };
const many = (least: number, rule: Rule): Rule => times(least, Infinity, rule);
/** The rule, where what it read passes. */
const where =
  (rule: Rule, passes: (read: string) => boolean): Rule =>
  (text, from) =>
    rule(text, from).filter((end) => passes(text.slice(from, end)));

// RFC 6531 §3.3: UTF8-non-ascii is atext, qtextSMTP and part of sub-domain. C1 controls are none here: they are no text
const utf8 = octet(/[\u00a0-\ud7ff\ue000-\u{10ffff}]/u);
const digit = octet(/[0-9]/);
const letDig = octet(/[A-Za-z0-9]/);
const atext = either(octet(/[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]/), utf8);
const atom = many(1, atext);
const dotString = all(atom, many(0, all(word("."), atom)));
const qtext = either(octet(/[\x20\x21\x23-\x5b\x5d-\x7e]/), utf8);
const quotedPair = all(word("\\"), either(octet(/[\x20-\x7e]/), utf8));
const quotedString = all(word('"'), many(0, either(qtext, quotedPair)), word('"'));
const localPart = either(dotString, quotedString);

// Underscores are taken: real hosts have them. They may stand where a letter may
const label = where(many(1, either(letDig, octet(/[-_]/))), (read) => !/^-|-$/.test(read) && read.length <= 63);
const asciiDomain = where(all(label, many(0, all(word("."), label))), (read) => read.length <= 255);

// Leading zeros are not taken: to some they mean octal
const snum = where(times(1, 3, digit), (read) => String(Number(read)) === read && Number(read) <= 255);
const ipv4 = all(snum, word("."), snum, word("."), snum, word("."), snum);
const hex = times(1, 4, octet(/[0-9a-fA-F]/));
const groups = (least: number, most: number): Rule =>
  least === 0 ? either(times(0, 0, hex), groups(1, most)) : all(hex, times(least - 1, most - 1, all(word(":"), hex)));
const groupsOf = (read: string): number => read.split(/:+/).filter((group) => group !== "").length;
// RFC 5321 says that `::` stands for two groups at least, RFC 4291 §2.2 for one: one is taken
const ipv6 = either(
  groups(8, 8),
  where(all(groups(0, 7), word("::"), groups(0, 7)), (read) => groupsOf(read) <= 7),
  all(groups(6, 6), word(":"), ipv4),
  where(
    all(groups(0, 5), word("::"), either(times(0, 0, hex), all(groups(1, 5), word(":"))), ipv4),
    (read) => groupsOf(read) <= 6,
  ),
);
const literal = all(word("["), either(ipv4, all(word("IPv6:"), ipv6)), word("]"));

/** Names beyond ASCII: RFC 5890 wants A-labels of them, which the platform makes (UTS 46). ASCII is what it is. */
const unicodeDomain = where(many(1, either(letDig, octet(/[-_.]/), utf8)), (read) => {
  // oxlint-disable-next-line no-control-regex -- all of ASCII
  if (read.length > 255 || /^[\x00-\x7f]*$/.test(read) || read.split(/[.\u3002\uff0e\uff61]/).includes(""))
    return false;
  const made = domainToASCII(read);
  return made !== "" && !/^[\d.]+$/.test(made) && asciiDomain(made, 0).includes(made.length);
});
const domain = either(asciiDomain, unicodeDomain, literal);

const mailbox = all(
  where(localPart, (read) => unquoted(read).length <= 256),
  word("@"),
  domain,
);
const hop = all(word("@"), either(asciiDomain, unicodeDomain, literal));
const sourceRoute = either(times(0, 0, hop), all(hop, many(0, all(word(","), hop)), word(":")));
const blank = octet(/[ \t]/);

/** What a path names: the local part unquoted, the domain as it was written. */
export interface OraclePath {
  readonly localPart: string;
  readonly domain: string;
  readonly text: string;
  readonly end: number;
}

/** Every way to read a path at the beginning of the text, up to a blank or the end; `null` is `<>`. */
export function readings(text: string, kind: "reverse" | "forward"): (OraclePath | null)[] {
  const found: (OraclePath | null)[] = [];
  const complete = (end: number): boolean => end === text.length || blank(text, end).length > 0;
  // Blanks before a path, and a path without brackets, are taken: clients send both (docs/protocol.md). Blanks are not part of it
  const from = many(0, blank)(text, 0).at(-1) ?? 0;
  if (kind === "reverse" && word("<>")(text, from).some(complete)) found.push(null);
  if (kind === "forward")
    for (const rule of [all(word("<"), word("postmaster"), word(">")), word("postmaster")])
      for (const end of rule(text, from).filter(complete))
        found.push({ localPart: "postmaster", domain: "", text: text.slice(from, end).replace(/[<>]/g, ""), end });
  for (const end of mailbox(text, from).filter(complete)) found.push(...split(text, from, end, end));
  for (const start of all(word("<"), sourceRoute)(text, from))
    for (const last of mailbox(text, start))
      for (const end of word(">")(text, last).filter(complete)) found.push(...split(text, start, last, end));
  return found;
}

function split(text: string, start: number, last: number, end: number): OraclePath[] {
  const ats = all(localPart, word("@"))(text, start).filter((at) => domain(text, at).includes(last));
  return ats.map((at) => ({
    localPart: unquoted(text.slice(start, at - 1)),
    domain: text.slice(at, last),
    text: text.slice(start, last),
    end,
  }));
}

const unquoted = (local: string): string =>
  local.startsWith('"') ? local.slice(1, -1).replace(/\\(.)/gsu, "$1") : local;
