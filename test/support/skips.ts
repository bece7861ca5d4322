import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import './needs.ts';

/** Prints at the end what was skipped: how many tests, for each reason. With CI=true a skipped test fails the run. */
export class SkipReporter implements Reporter {
  #isFiltered = false;

  onInit({ config }: Vitest): void {
    this.#isFiltered = config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    // Tests whose names were not asked for count as skipped.
    if (this.#isFiltered) return;
    const counts = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const reason = reasonOf(test);
        if (reason === undefined) continue;
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
      }
    }
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (total === 0) return;
    const isFailure = process.env.CI === 'true';
    console.log(`\n ${total} skipped${isFailure ? ', which with CI=true is a failure' : ''}. They need`);
    for (const [reason, count] of [...counts].sort(([, a], [, b]) => b - a)) {
      console.log(`${String(count).padStart(5)}  ${reason}`);
    }
    if (isFailure) process.exitCode = 1;
  }
}

/** `undefined` where a hook failed, which is a failure of its own. */
function reasonOf(test: TestCase): string | undefined {
  const result = test.result();
  let at: TestCase | TestSuite | TestModule = test;
  while (at.type !== 'module') {
    const { needs } = at.meta();
    if (needs !== undefined) return needs;
    at = at.parent;
    if (at.errors().length > 0) return undefined;
  }
  return (result.state === 'skipped' ? result.note : undefined) ?? 'no reason given';
}
