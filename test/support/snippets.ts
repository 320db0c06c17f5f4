import { readFileSync } from "node:fs";

/** A fenced block of a Markdown file. */
export interface Snippet {
  /** File the block stands in, from the top of the repository. */
  readonly page: string;
  readonly language: string;
  readonly code: string;
  /** The last heading above it. */
  readonly heading: string;
  /** Its own path: said by its first line, `// src/index.ts`, or behind the language, for files without comments. */
  readonly file: string | undefined;
  /** Number of the stage it belongs to: its section's heading begins with it. */
  readonly stage: number | undefined;
}

export function readSnippets(root: string, page: string): Snippet[] {
  const snippets: Snippet[] = [];
  let heading = "";
  let stage: number | undefined;
  let open: { language: string; file: string | undefined; lines: string[] } | undefined;
  for (const line of readFileSync(`${root}/${page}`, "utf8").split("\n")) {
    const fence = /^\s*```(\w*) ?(\S*)/.exec(line);
    if (fence !== null && open === undefined) {
      const [, language = "", file = ""] = fence;
      open = { language, file: file === "" ? undefined : file, lines: [] };
    } else if (fence !== null && open !== undefined) {
      const { language, lines } = open;
      const file = open.file ?? /^\/\/ (\S+\.m?[jt]s)$/.exec(lines[0] ?? "")?.[1];
      snippets.push({ page, language, code: `${lines.join("\n")}\n`, heading, file, stage });
      open = undefined;
    } else if (open !== undefined) open.lines.push(line);
    else if (line.startsWith("#")) {
      heading = line.replace(/^#+\s*/, "");
      const number = /^## (?:(\d+)\. )?/.exec(line);
      if (number !== null) stage = number[1] === undefined ? undefined : Number(number[1]);
    }
  }
  return snippets;
}

/** A file and what the page says is in it, the line with its name left out. */
export type Files = ReadonlyMap<string, string>;

/** The reader's folder at the end of each stage of a page: what the stages before it left, and what this one adds or replaces. */
export function stagesOf(snippets: readonly Snippet[]): Map<number, Files> {
  const stages = new Map<number, Files>();
  let before: Files = new Map();
  for (const { stage, file, code } of snippets) {
    if (stage === undefined || file === undefined) continue;
    const files = new Map(stages.get(stage) ?? before);
    files.set(file, code.replace(/^\/\/ \S+\.m?[jt]s\n+/, ""));
    stages.set(stage, files);
    before = files;
  }
  return stages;
}
