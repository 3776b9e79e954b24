/**
 * A writer with bad intentions, in a process of its own: swaps a directory, a file and the target of a link for links that
 * lead out of the watched directory and back, as fast as it can, until it is killed.
 * Usage: node swapper.ts LOGS OUTSIDE; needs LOGS/sub/app.log and OUTSIDE/app.log.
 */
import { renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";

const [logs, outside] = process.argv.slice(2);
process.stdout.write("swapping\n");
for (let round = 0; ; round++) {
  renameSync(`${logs}/sub`, `${logs}/away`);
  symlinkSync(outside, `${logs}/sub`);
  rmSync(`${logs}/sub`);
  renameSync(`${logs}/away`, `${logs}/sub`);

  writeFileSync(`${logs}/new`, `inside ${round}\n`);
  renameSync(`${logs}/new`, `${logs}/file.log`);
  symlinkSync(`${outside}/app.log`, `${logs}/new`);
  renameSync(`${logs}/new`, `${logs}/file.log`);

  symlinkSync(`sub/app.log`, `${logs}/new`);
  renameSync(`${logs}/new`, `${logs}/link.log`);
  symlinkSync(`${outside}/app.log`, `${logs}/new`);
  renameSync(`${logs}/new`, `${logs}/link.log`);
}
