// Adds up vitest's JSON reports and closes with the line that tells how many tests passed and failed.
import { readFileSync } from "node:fs";

let passed = 0;
let failed = 0;
let pending = 0;
for (const file of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(file, "utf8"));
  passed += report.numPassedTests;
  failed +=
    report.numFailedTests +
    report.testResults.filter((one) => one.status === "failed" && one.assertionResults.length === 0).length;
  pending += report.numPendingTests + report.numTodoTests;
}
// A test that did not run proves nothing here
if (pending > 0) console.error(`${pending} tests were skipped`);
if (passed === 0) console.error("no test ran");
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 || pending > 0 ? 1 : 0;
