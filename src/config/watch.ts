import { statSync } from "node:fs";
import { CONFIG_WATCH_MS } from "../core/limits.ts";

/**
 * Looks at files again and again. A look costs microseconds and sees what notifications miss: an editor that renames, a link
 * of Kubernetes that is swapped, a network volume. A change is told once it looks the same twice, since half of a file can be
 * valid too.
 */
export class ConfigWatch {
  readonly #timer: NodeJS.Timeout;
  #told: string;
  #last: string;

  constructor(files: readonly string[], onChange: () => void) {
    this.#told = this.#last = signature(files);
    this.#timer = setInterval(() => {
      const now = signature(files);
      const isStill = now === this.#last;
      this.#last = now;
      if (!isStill || now === this.#told) return;
      this.#told = now;
      onChange();
    }, CONFIG_WATCH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** What `stat` says of the files that the paths lead to. */
function signature(files: readonly string[]): string {
  return files.map(describeFile).join();
}

function describeFile(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return "none";
  }
}
