// Of the reports of two runs: which files the second has to run (`skipped FIRST`), and both in numbers (`count FIRST SECOND`).
import { existsSync, readFileSync } from 'node:fs';

const isSkipped = ({ status }) => status !== 'passed' && status !== 'failed';

/** Results by file, from the repository's root; `undefined` where the run wrote no report. */
function read(path) {
  if (!existsSync(path)) return undefined;
  const { testResults } = JSON.parse(readFileSync(path, 'utf8'));
  return new Map(testResults.map((file) => [file.name.slice(file.name.lastIndexOf('/test/') + 1), file]));
}

function count(files) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of files) {
    for (const test of assertionResults) counts[isSkipped(test) ? 'skipped' : test.status]++;
    // A file that failed as a whole.
    if (status === 'failed' && assertionResults.every((test) => test.status !== 'failed')) counts.failed++;
  }
  return counts;
}

const [command, ...paths] = process.argv.slice(2);
const [first, second] = paths.map(read);
if (command === 'skipped') {
  for (const [name, { assertionResults }] of first ?? []) if (assertionResults.some(isSkipped)) console.log(name);
} else {
  if (first === undefined) console.log('The first run gave no report.');
  const isJudged = [...(first?.values() ?? [])].some(({ assertionResults }) => assertionResults.some(isSkipped));
  if (isJudged && second === undefined) console.log('The second run gave no report.');
  const { passed, skipped } = count(new Map([...(first ?? []), ...(second ?? [])]).values());
  const failures = [first, second].reduce((sum, files) => sum + count(files?.values() ?? []).failed, 0);
  const failed = failures + Number(first === undefined) + Number(isJudged && second === undefined);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed + skipped > 0 ? 1 : 0;
}
