// Run by `lerna version` in each package, between the new package.json and the release commit:
// the version a package says of itself at run time is the one in its package.json.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const { version } = JSON.parse(readFileSync("package.json", "utf8"));
const stamped = [];
for (const entry of readdirSync("src", { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
  const file = join(entry.parentPath, entry.name);
  const before = readFileSync(file, "utf8");
  const after = before
    .replace(/^(export const coreVersion = ")[^"]*(";)$/m, `$1${version}$2`)
    .replace(/^(\s+version: ")\d[^"]*(",)$/m, `$1${version}$2`);
  if (after === before) continue;
  writeFileSync(file, after);
  stamped.push(file);
}
if (stamped.length > 0) execFileSync("git", ["add", ...stamped], { stdio: "inherit" });
