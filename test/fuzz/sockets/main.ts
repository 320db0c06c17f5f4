// npm run fuzz:sockets. Arguments: how many sessions (20,000); --seed=number.
import { parseArgs } from "node:util";
import { fuzzSockets } from "./sessions.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seed: { type: "string" } } });
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
console.log(`seed ${seed}`);
const { problems, ...figures } = await fuzzSockets(Number(positionals[0] ?? 20_000), seed);
console.log(figures);
for (const problem of problems) console.error(`FOUND ${problem}`);
if (problems.length > 0) process.exitCode = 1;
