import { relative } from "node:path";
import { styleText } from "node:util";
import type { LocatedProblem } from "./config/configuration.ts";

type Style = Parameters<typeof styleText>[0];

/** Colours on a terminal, unless NO_COLOR is set (no-color.org). */
export const paint = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  stream.isTTY && (process.env["NO_COLOR"] ?? "") === "" ? styleText(style, text) : text;

/** Where the problem is: `mailhost.config.json:12:7 plugins[1].options.root`. */
export function placeOf({ file, line, column, where }: LocatedProblem): string {
  if (file === undefined || file === where) return shown(where);
  const at = line === undefined ? "" : `:${line}:${column ?? 1}`;
  return `${shown(file)}${at}${where === "" ? "" : ` ${where}`}`;
}

/** Seen from where the command runs, when that is shorter. */
function shown(file: string): string {
  const near = relative(process.cwd(), file);
  return file.startsWith("/") && near !== "" && near.length < file.length ? near : file;
}

/** Every problem: where, what, how to mend. */
export function explain(problems: readonly LocatedProblem[], stream: NodeJS.WriteStream = process.stderr): string {
  return problems
    .map((problem) => {
      const place = placeOf(problem);
      const { what, mend } = problem;
      return `${place === "" ? "" : `  ${paint("bold", place, stream)}\n`}    ${paint("red", what, stream)}\n    ${mend}\n`;
    })
    .join("\n");
}

export const countOf = (number: number, thing: string): string => `${number} ${thing}${number === 1 ? "" : "s"}`;

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
