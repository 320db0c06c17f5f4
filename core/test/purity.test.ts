import { readFileSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";

const source = new URL("../src/", import.meta.url);
const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
const read = (path: string): string => readFileSync(new URL(path, source), "utf8");

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");

test("core knows no feature by name", () => {
  expect(files.filter((path) => /STARTTLS|PLAIN|maildir|XCLIENT/.test(withoutComments(read(path))))).toEqual([]);
});

const rooms = ["protocol", "message", "host", "session", "server"];

test.each(rooms)("%s imports only from the rooms above it", (room) => {
  const above = rooms.slice(0, rooms.indexOf(room) + 1);
  for (const path of files.filter((one) => one.startsWith(`${room}/`)))
    for (const [, from = ""] of read(path).matchAll(/from "([^"]+)"/g)) {
      if (from.startsWith("../")) expect([path, above]).toEqual([path, expect.arrayContaining([from.split("/")[1]])]);
      if (room === "protocol") expect([path, from]).toEqual([path, expect.stringMatching(/^\.\//)]);
    }
});
