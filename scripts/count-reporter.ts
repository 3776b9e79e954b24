import type { Reporter, TestModule } from "vitest/node";

/**
 * Prints the last line of a run: `12 passed, 0 failed` and, where there are some, `, 3 skipped`. A file that could not be
 * loaded, a hook that failed outside any test and an unhandled error count as a failure each, so that the line never
 * says "0 failed" of a run that exits with an error.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of module.children.allTests()) counts[test.result().state]++;
    }
    const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
    // Servers are stopped after this hook, so the line waits for the end of the process to be the last.
    process.once("exit", () => process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`));
  }
}
