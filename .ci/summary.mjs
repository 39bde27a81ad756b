// Sums up the reports of all lines of Node: what failed by name, and a last line with the counts.
// node .ci/summary.mjs FOLDER LINES STATUS: a report of each line in the folder, how many lines there should be, and 0 if all runs went well.
import { readdirSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [folder, lines, status] = process.argv.slice(2);
const files = readdirSync(folder).sort();
// A run that dies leaves no report. The machine's own line is one of at least two.
if (files.length !== Number(lines) || files.length < 2) throw new Error(`of ${lines} lines of Node there are reports of: ${files}`);
let [passed, failed] = [0, 0];
for (const file of files) {
  const report = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'));
  const { numPassedTests, numFailedTests, numTotalTestSuites, numFailedTestSuites } = report;
  if (!(numTotalTestSuites > 0 && numPassedTests > 0)) throw new Error(`${file}: no test was run`);
  // Every program is there: what a line is not to run is no part of its run, and nothing else may be left out.
  const skipped = report.numPendingTests + report.numTodoTests;
  console.log(`Node ${file.slice(0, -'.json'.length)}: ${numPassedTests} tests passed, ${numFailedTests} failed, ${skipped} left out`);
  for (const { name: path, status: suite, message, assertionResults } of report.testResults) {
    const name = relative('', path);
    if (suite === 'failed' && message !== '') console.log(`failed: ${name}: ${message}`);
    for (const { status: test, fullName, failureMessages } of assertionResults) {
      if (test === 'failed') console.log(`failed: ${name}: ${fullName}: ${failureMessages.join('\n')}`);
      else if (test !== 'passed' && skipped > 0) console.log(`left out: ${name}: ${fullName}`);
    }
  }
  passed += numPassedTests;
  // A suite that does not load, or a worker that dies, has no failed test.
  failed += Math.max(numFailedTests, numFailedTestSuites > 0 || report.success !== true ? 1 : 0) + skipped;
}
if (status !== '0' && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
