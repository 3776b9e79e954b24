import type { Reporter, TestCase, TestModule } from "vitest/node";

/**
 * Prints why tests were skipped and, as the last line of a run, `12 passed, 0 failed` and, where there are some,
 * `, 3 skipped`. A file that could not be loaded, a hook that failed outside any test and an unhandled error count as a
 * failure each, so that the line never says "0 failed" of a run that exits with an error.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    const reasons: string[] = [];
    for (const module of modules) {
      counts.failed += module.errors().length;
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        counts[test.result().state]++;
        if (test.result().state === "skipped") reasons.push(reasonOf(test));
      }
    }
    const lines = [...reasons, `${counts.passed} passed, ${counts.failed} failed`];
    const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
    // Servers are stopped after this hook, so the lines wait for the end of the process to be the last.
    process.once("exit", () => process.stdout.write(`${lines.join("\n")}${skipped}\n`));
  }
}

/** `skipped: test/integration/a.test.ts > name: the first line of the reason`. */
function reasonOf(test: TestCase): string {
  const result = test.result();
  const note = result.state === "skipped" ? result.note : undefined;
  return `skipped: ${test.module.relativeModuleId} > ${test.fullName}: ${note?.split("\n")[0] ?? "no reason given"}`;
}
