import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeError } from "../config/problem.ts";
import { filesOf } from "../create/files.ts";
import { namesOf } from "../create/name.ts";
import { RunTimeError, UsageError } from "../exit.ts";
import { countOf } from "../report.ts";

/** `mailhost plugin create NAME`: a package that is ready to be tested, packed and published. */
export function create(name: string, flags: { js?: true }, version: string): void {
  const names = namesOf(name);
  if (typeof names === "string") throw new UsageError(`plugin create: ${names}`);
  const { folder } = names;
  if (existsSync(folder) && !isEmptyFolder(folder))
    throw new RunTimeError(
      `${folder} is there already, and nothing in it is overwritten: remove it, or choose another name`,
    );
  const language = flags.js === true ? "javascript" : "typescript";
  const files = filesOf({ names, language, mailhost: version, year: new Date().getFullYear() });
  try {
    for (const [path, text] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text, { flag: "wx" });
    }
  } catch (error) {
    throw new RunTimeError(`${folder} cannot be written: ${describeError(error)}`);
  }
  console.log(`wrote ${countOf(files.size, "file")} of ${names.package}

  cd ${folder}
  npm install
  npm test

Then look into src, and see it at work with npm start. Where it is installed, a configuration calls it ${names.configured}.`);
}

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch {
    return false;
  }
}
