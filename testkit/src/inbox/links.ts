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
  for (const [, double, single, bare] of html.replaceAll(/<!--[\s\S]*?-->/g, "").matchAll(hrefs)) {
    const link = decodeReferences(double ?? single ?? bare ?? "").trim();
    if (link !== "" && !link.startsWith("#")) found.add(link);
  }
  for (const [url] of text.matchAll(urls)) found.add(withoutPunctuation(url));
  return [...found];
}

/** The sentence goes on behind the address; a bracket belongs to it when it was opened there. */
function withoutPunctuation(url: string): string {
  const trimmed = url.replace(/[.,;:!?'*_]+$/, "");
  if (trimmed.endsWith(")") && !trimmed.includes("(")) return withoutPunctuation(trimmed.slice(0, -1));
  if (trimmed.endsWith("]") && !trimmed.includes("[")) return withoutPunctuation(trimmed.slice(0, -1));
  return trimmed;
}

/** The character references that stand in addresses. */
const decodeReferences = (text: string): string =>
  text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi, (all, hex?: string, decimal?: string, name = "") => {
    if (hex === undefined && decimal === undefined) return named.get(name.toLowerCase()) ?? all;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : all;
  });
