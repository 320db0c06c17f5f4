// Compiles each .wat into the .ts of its name, or with --check says whether that was done.
import { readFileSync, writeFileSync } from "node:fs";
import wabt from "wabt";

const programs = ["core/src/protocol/clean", "plugins/maildir/src/line-ends"];
const constant = /(const compiled =\s+")[^"]*(";)/;
const file = (name: string): URL => new URL(`../${name}`, import.meta.url);

const compiler = await wabt();
for (const name of programs) {
  const parsed = compiler.parseWat(`${name}.wat`, readFileSync(file(`${name}.wat`), "utf8"), { simd: true });
  parsed.validate();
  const compiled = Buffer.from(parsed.toBinary({}).buffer).toString("base64");
  const before = readFileSync(file(`${name}.ts`), "utf8");
  const after = before.replace(constant, `$1${compiled}$2`);
  if (!process.argv.includes("--check")) writeFileSync(file(`${name}.ts`), after);
  else if (before !== after) throw new Error(`${name}.ts is not what ${name}.wat says: npm run wat`);
}
