import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const source = join(import.meta.dirname, "../core/src");

/** Each room imports only from itself and from those above it. */
const rooms = ["protocol", "message", "host", "session", "server"] as const;
const outside: Record<string, RegExp> = {
  protocol: /^$/,
  message: /^node:/,
  host: /^(node:|tapable$|semver$)/,
  session: /^node:(?!net|tls)/,
  server: /^node:/,
};

test.each(rooms)("core/src/%s imports only from the rooms above it", (room) => {
  const wrong: string[] = [];
  for (const file of readdirSync(join(source, room))) {
    const text = readFileSync(join(source, room, file), "utf8");
    for (const [, from = ""] of text.matchAll(/(?:from|import) "([^"]+)"/g)) {
      const local = /^\.\.?\/(?:(\w+)\/)?/.exec(from);
      const target = local === null ? undefined : (local[1] ?? room);
      const allowed =
        target === undefined
          ? (outside[room]?.test(from) ?? false)
          : rooms.findIndex((one) => one === target) <= rooms.indexOf(room);
      if (!allowed) wrong.push(`${file}: ${from}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("core names no feature but in comments", () => {
  const named: string[] = [];
  for (const entry of readdirSync(source, { recursive: true, encoding: "utf8" })) {
    if (!entry.endsWith(".ts")) continue;
    for (const line of readFileSync(join(source, entry), "utf8").split("\n"))
      if (/STARTTLS|PLAIN|maildir|XCLIENT/.test(line) && !/^\s*(\/\/|\/?\*)/.test(line))
        named.push(`${entry}: ${line.trim()}`);
  }
  expect(named).toEqual([]);
});
