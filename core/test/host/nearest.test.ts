import { ConfigurationError, nearest } from "@mailhost/core";
import { expect, test } from "vitest";

test.each([
  ["maildri", ["maildir", "mux"], "maildir"],
  ["Maildir", ["maildir"], "maildir"],
  ["snik", ["sink", "mux"], "sink"],
  ["domain", ["domains", "addresses"], "domains"],
  ["mxu", ["mux"], "mux"],
  ["x", ["a"], "a"],
  ["starttls", ["auth-plain", "mux"], undefined],
  ["abc", ["xyz"], undefined],
  ["abcdef", ["fedcba"], undefined],
  ["anything", [], undefined],
])("%s among %o is %s", (word, known, wanted) => {
  expect(nearest(word, known)).toBe(wanted);
});

test("a configuration error tells every problem: where, what, how to mend it", () => {
  const error = new ConfigurationError([
    { code: "BAD_OPTION", where: "plugins[0].options.x", what: "x is wrong", mend: "Mend it." },
    { code: "NO_HANDLER", where: "", what: "nobody is there", mend: "Add one." },
  ]);
  expect(error.name).toBe("ConfigurationError");
  expect(error.message).toBe("plugins[0].options.x: x is wrong. Mend it.\nnobody is there. Add one.");
});
