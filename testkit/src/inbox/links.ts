const hrefs = /\shref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))/gi;
const urls = /\bhttps?:\/\/[^\s<>"]+/gi;

const named = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** Where `href` attributes lead, and the web addresses of the text: each once, in their order. Anchors within the message are none. */
export function findLinks(html: string, text: string): string[] {
  const found = new Set<string>();
  for (const [, double, single, bare] of withoutComments(html).matchAll(hrefs)) {
    const link = decodeReferences(double ?? single ?? bare ?? "").trim();
    if (link !== "" && !link.startsWith("#")) found.add(link);
  }
  for (const [url] of text.matchAll(urls)) found.add(withoutPunctuation(url));
  return [...found];
}

const punctuation = new Set(".,;:!?'*_");

/** The sentence goes on behind the address; a bracket belongs to it when it was opened there. */
function withoutPunctuation(url: string): string {
  const closes = [url.includes("(") ? "" : ")", url.includes("[") ? "" : "]"];
  let end = url.length;
  while (punctuation.has(url.charAt(end - 1)) || closes.includes(url.charAt(end - 1))) end -= 1;
  return url.slice(0, end);
}

function withoutComments(html: string): string {
  const [first = "", ...rest] = html.split("<!--");
  return first + rest.map((part) => (part.includes("-->") ? part.slice(part.indexOf("-->") + 3) : "")).join("");
}

/** The character references that stand in addresses. */
const decodeReferences = (text: string): string =>
  text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi, (all, hex?: string, decimal?: string, name = "") => {
    if (hex === undefined && decimal === undefined) return named.get(name.toLowerCase()) ?? all;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : all;
  });
