import { readFileSync } from "node:fs";

/** A fenced block of a Markdown file. */
export interface Snippet {
  /** File the block stands in, from the top of the repository. */
  readonly page: string;
  readonly language: string;
  readonly code: string;
  /** The last heading above it. */
  readonly heading: string;
}

export function readSnippets(root: string, page: string): Snippet[] {
  const snippets: Snippet[] = [];
  let heading = "";
  let open: { language: string; lines: string[] } | undefined;
  for (const line of readFileSync(`${root}/${page}`, "utf8").split("\n")) {
    const fence = /^\s*```(\w*)/.exec(line);
    if (fence !== null && open === undefined) open = { language: fence[1] ?? "", lines: [] };
    else if (fence !== null && open !== undefined) {
      snippets.push({ page, language: open.language, code: `${open.lines.join("\n")}\n`, heading });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else if (line.startsWith("#")) heading = line.replace(/^#+\s*/, "");
  }
  return snippets;
}
