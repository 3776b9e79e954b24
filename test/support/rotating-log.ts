import { copyFileSync, readdirSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { NumberedLines } from "./numbered-lines.ts";

/** A log of numbered lines that is rotated as logrotate would do it. */
export class RotatingLog extends NumberedLines {
  /** app.log.1 → app.log.2 → …, app.log → app.log.1; a new app.log is made by the next write, or at once. */
  rename(create = false): void {
    this.#shift();
    renameSync(this.path, `${this.path}.1`);
    if (create) writeFileSync(this.path, "");
  }

  /** The first half of copytruncate. */
  copy(): void {
    this.#shift();
    copyFileSync(this.path, `${this.path}.1`);
  }

  /** The second half. */
  truncate(): void {
    truncateSync(this.path);
  }

  #shift(): void {
    const prefix = `${basename(this.path)}.`;
    const numbers = readdirSync(dirname(this.path))
      .filter((name) => name.startsWith(prefix))
      .map((name) => Number(name.slice(prefix.length)))
      .filter((number) => number > 0);
    for (const number of numbers.toSorted((a, b) => b - a)) {
      renameSync(join(dirname(this.path), `${prefix}${number}`), join(dirname(this.path), `${prefix}${number + 1}`));
    }
  }
}
