import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Bundle, bundle, declared } from "./collect.ts";

function bundleOf(source: string): Bundle {
  const folder = mkdtempSync(join(tmpdir(), "mailhost-mutants-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "some.test.ts");
  writeFileSync(file, source);
  return bundle(file);
}

test("tests are found as vitest finds them", () => {
  const some = bundleOf(`
    import { describe, expect, test } from "vitest";
    test("alone", () => {});
    describe.each(["a", "b"])("of %s", (letter: string) => {
      test.each([[1, letter], [2, "c"]])("%i and %s", { timeout: 10 }, (number, other) => expect(number + other).toBe("1a"));
    });
  `);
  const tests = declared(some);
  expect(tests.map(({ name }) => name)).toEqual([
    "alone",
    "of a 1 and a",
    "of a 2 and c",
    "of b 1 and b",
    "of b 2 and c",
  ]);
  const failing = tests.filter(({ run }) => {
    try {
      run();
      return false;
    } catch {
      return true;
    }
  });
  expect(failing.map(({ name }) => name)).toEqual(["of a 2 and c", "of b 1 and b", "of b 2 and c"]);
});

test("to run a bundle again is to begin anew", () => {
  const some = bundleOf(`
    import { expect, test } from "vitest";
    let runs = 0;
    test("once", () => expect((runs += 1)).toBe(1));
  `);
  for (let times = 0; times < 2; times += 1) for (const { run } of declared(some)) run();
});

test("a package of this repository is refused: no mutant would be in it", () => {
  expect(() => bundleOf(`import { replies } from "@mailhost/core"; console.info(replies);`)).toThrow(
    "imports @mailhost/core: no mutant is there",
  );
});
