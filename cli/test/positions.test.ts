import * as fc from "fast-check";
import { expect, test } from "vitest";
import { positionOf } from "../src/config/positions.ts";

const at = (text: string, where: string): string | undefined => {
  const position = positionOf(text, where);
  if (position === undefined) return undefined;
  return text.split("\n")[position.line - 1]?.slice(position.column - 1);
};

test("a setting in JSON", () => {
  const text =
    '{\n  "a": { "b:": [1, { "c": "x, y" }] },\n  "plugins": [["maildir", { "root": 7 }], { "plugin": "mux", "options": { "r": 1 } }]\n}';
  expect(at(text, "a.b:[1].c")).toMatch(/^"c"/);
  expect(at(text, "plugins[0].options.root")).toMatch(/^"root"/);
  expect(at(text, "plugins[1].options.r")).toMatch(/^"r"/);
  // The nearest around it, when it is not there itself
  expect(at(text, "plugins[1].options.r.deeper[3]")).toMatch(/^"r"/);
  expect(at(text, "plugins[0].requires")).toMatch(/^\["maildir"/);
  expect(at(text, "gone")).toBe(undefined);
});

test("a setting in YAML, block and flow", () => {
  const text = [
    "---",
    "# plugins: no",
    "name: mx.shop.test # not: this",
    "listeners:",
    "- port: 25",
    "  plugins:",
    "    - starttls",
    "    - [maildir, { root: ./mail,",
    "        quota: 7 }]",
    "- port: 587",
    "plugins:",
    "  - - mux",
    "    - routes:",
    '        "*@shop.test": maildir',
    "      catchAll: 3",
    "'default':",
    "  local: maildir",
  ].join("\n");
  expect(at(text, "name")).toMatch(/^name/);
  expect(at(text, "listeners[0].port")).toMatch(/^port: 25$/);
  expect(at(text, "listeners[1].port")).toBe("port: 587");
  expect(at(text, "listeners[0].plugins[0]")).toBe("starttls");
  expect(at(text, "listeners[0].plugins[1].options.quota")).toMatch(/^quota/);
  expect(at(text, "plugins[0].options.catchAll")).toBe("catchAll: 3");
  expect(at(text, "plugins[0].options.routes.*@shop.test")).toMatch(/^"\*@/);
  expect(at(text, "default.local")).toBe("local: maildir");
});

test("every path of any JSON is found, and any text ends", () => {
  const key = fc.stringMatching(/^[a-z][a-z "\\:{}]{0,5}$/);
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      fc.integer(),
      fc.string(),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(key, tie("tree"), { maxKeys: 3 }),
    ),
  }));
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tree, { minKeys: 1, maxKeys: 4 }),
      fc.boolean(),
      (value, wide) => {
        const text = JSON.stringify(value, undefined, wide ? 2 : 0);
        for (const top of Object.keys(value)) expect(at(text, top)).toMatch(new RegExp(`^"${top}"`));
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."[]{}:,-#\"' ab\n") }),
      fc.string(),
      (text, where) => void positionOf(text, where),
    ),
  );
});
