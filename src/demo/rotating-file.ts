import { renameSync, rmSync } from "node:fs";
import { pino } from "pino";

type Destination = ReturnType<typeof pino.destination>;

/** A log file that is rotated as logrotate does it without `copytruncate`: older ones are renamed to NAME.1, NAME.2, … */
export class RotatingFile {
  readonly destination: Destination;
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #kept: number;
  #bytes = 0;
  rotations = 0;

  constructor(path: string, maxBytes: number, kept: number) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#kept = kept;
    this.destination = pino.destination({ dest: path, sync: true });
    this.destination.on("write", (bytes: number) => {
      this.#bytes += bytes;
    });
  }

  /** Rotates when the file is full; called between two lines. */
  rotateIfFull(): void {
    if (this.#bytes < this.#maxBytes) return;
    rmSync(`${this.#path}.${this.#kept}`, { force: true });
    for (let n = Math.min(this.#kept - 1, this.rotations); n > 0; n--)
      renameSync(`${this.#path}.${n}`, `${this.#path}.${n + 1}`);
    renameSync(this.#path, `${this.#path}.1`);
    this.destination.reopen();
    this.#bytes = 0;
    this.rotations++;
  }
}
