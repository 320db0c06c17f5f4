// Compiles core/src/protocol/clean.wat into clean.ts, or with --check says whether that was done.
import { readFileSync, writeFileSync } from "node:fs";
import wabt from "wabt";

const file = (name: string): URL => new URL(`../core/src/protocol/${name}`, import.meta.url);
const constant = /(const compiled =\s+")[^"]*(";)/;

const compiler = await wabt();
const parsed = compiler.parseWat("clean.wat", readFileSync(file("clean.wat"), "utf8"), { simd: true });
parsed.validate();
const compiled = Buffer.from(parsed.toBinary({}).buffer).toString("base64");
const before = readFileSync(file("clean.ts"), "utf8");
const after = before.replace(constant, `$1${compiled}$2`);
if (process.argv.includes("--check")) {
  if (before !== after) throw new Error("clean.ts is not what clean.wat says: npm run wat");
} else writeFileSync(file("clean.ts"), after);
