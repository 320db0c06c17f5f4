import { createRequire } from "node:module";
import { Script } from "node:vm";
import { format } from "node:util";
import { buildSync } from "esbuild";
import { expect } from "vitest";

/** A test of one file, as it was declared. */
export interface Declared {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  readonly run: () => unknown;
}

/** A test file with all that it imports, as one script: to begin anew is to run it again. */
export interface Bundle {
  readonly file: string;
  readonly script: Script;
}

const require = createRequire(import.meta.url);

/**
 * A package is not bundled, so no mutant is in it. One of ours must not be among them: it would be resolved
 * to the repository, not to the copy with the mutants, and all of them would seem to live.
 */
const isOutside = (path: string): boolean => path === "vitest" || path === "fast-check" || path.startsWith("node:");

export function bundle(file: string): Bundle {
  const { outputFiles, metafile } = buildSync({
    entryPoints: [file],
    absWorkingDir: process.cwd(), // the copy; esbuild would take the folder that it was loaded in
    bundle: true,
    packages: "external",
    format: "cjs",
    platform: "node",
    target: "node20",
    write: false,
    metafile: true,
  });
  for (const { imports } of Object.values(metafile.outputs))
    for (const { path } of imports)
      if (!isOutside(path)) throw new Error(`${file} imports ${path}: no mutant is there`);
  const wrapped = `(function (require, module, exports) {${outputFiles[0]?.text ?? ""}\n})`;
  return { file, script: new Script(wrapped, { filename: file }) };
}

type Body = (...values: unknown[]) => unknown;
type Declare = (name: string, ...rest: unknown[]) => void;

/** `declare.each`, as vitest has it: a case that is an array is spread. */
const withEach = (declare: (name: string, run: () => unknown) => void) => {
  const one: Declare = (name, ...rest) => declare(name, bodyOf(rest));
  const each =
    (cases: readonly unknown[]): Declare =>
    (name, ...rest) => {
      for (const given of cases) {
        const values: unknown[] = Array.isArray(given) ? given : [given];
        declare(titled(name, values), () => bodyOf(rest)(...values));
      }
    };
  return Object.assign(one, { each });
};

const bodyOf = (rest: readonly unknown[]): Body => rest.findLast((part) => typeof part === "function") as Body;

const titled = (name: string, values: readonly unknown[]): string =>
  format(name, ...values.slice(0, name.match(/%[sdifjoO]/g)?.length ?? 0));

/** Runs a bundle, and gives the tests that it declares. */
export function declared({ file, script }: Bundle): Declared[] {
  const tests: Declared[] = [];
  const path: string[] = [];
  const describe = withEach((name, declareThem) => {
    path.push(name);
    declareThem();
    path.pop();
  });
  const test = withEach((name, run) => {
    const whole = [...path, name].join(" ");
    tests.push({ id: `${file}#${tests.length} ${whole}`, name: whole, file, run });
  });
  const given = (name: string): unknown => (name === "vitest" ? { describe, test, expect } : require(name));
  const load = script.runInThisContext() as (...given: unknown[]) => void;
  load(given, { exports: {} }, {});
  return tests;
}
