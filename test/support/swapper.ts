/**
 * A writer with bad intentions, in a process of its own: puts links that lead out of the watched directory in the place of
 * what belongs there and takes them away again, as fast as it can, until it is killed.
 * Usage: node swapper.ts directory|file|link LOGS OUTSIDE; needs LOGS/sub/app.log and OUTSIDE/app.log.
 */
import { renameSync, symlinkSync, writeFileSync } from "node:fs";

const [what, logs, outside] = process.argv.slice(2);
const place = `${logs}/${{ directory: "sub", file: "file.log", link: "link.log" }[what]}`;
const [good, bad] = [`${logs}/${what}.good`, `${logs}/${what}.bad`];
symlinkSync(what === "directory" ? outside : `${outside}/app.log`, bad);
if (what === "file") writeFileSync(place, "inside\n");
if (what === "link") symlinkSync("sub/app.log", place);
process.stdout.write("swapping\n");
for (;;) {
  renameSync(place, good);
  renameSync(bad, place);
  renameSync(place, bad);
  renameSync(good, place);
}
