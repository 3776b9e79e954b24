import type { Log } from "../core/log.ts";

/** Subjects that are remembered; then all are forgotten, and what still holds is said once more. */
const SUBJECTS_MAX = 10_000;

/** Says what is wrong once per subject, until it has healed. */
export class Reports {
  readonly #log: Log;
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  once(level: "info" | "warn" | "error", code: string, subject: string, message: string): void {
    const key = `${code} ${subject}`;
    if (this.#said.has(key)) return;
    if (this.#said.size >= SUBJECTS_MAX) this.#said.clear();
    this.#said.add(key);
    this.#log[level](code, message, { path: subject });
  }

  /** It was reported and has not healed. */
  stands(code: string, subject: string): boolean {
    return this.#said.has(`${code} ${subject}`);
  }

  /** True when it had been reported. */
  healed(code: string, subject: string): boolean {
    return this.#said.delete(`${code} ${subject}`);
  }
}
