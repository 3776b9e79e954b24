import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

const made: string[] = [];

function remove(): void {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
}

// A worker of the tests is ended without an exit; the programs that tests start know no `afterAll`.
if ("__vitest_worker__" in globalThis) (await import("vitest")).afterAll(remove);
else process.on("exit", remove);

/** A new directory that is gone after the tests of this file. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), `pannier-${name}-`));
  made.push(directory);
  return directory;
}
