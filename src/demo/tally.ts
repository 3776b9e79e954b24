/** The numbers of the demo. */
export interface Numbers {
  readonly written: number;
  readonly delivered: number;
  /** Age of the oldest line that is written and not delivered. */
  readonly lagMs: number;
  readonly lost: number;
  readonly doubled: number;
}

/** Until the end, a line counts as lost when it has not come for this long: before, it may be under way. */
const LOST_AFTER_MS = 30_000;

/**
 * Counts sequence numbers 1, 2, 3, … from the set of those that came, never from a maximum or a sum: ten lost and ten doubled
 * would look like nothing.
 */
export class Tally {
  /** How often each number came. */
  #times = new Uint8Array(64 * 1024);
  /** Everything below was delivered. */
  #next = 1;
  #written = 0;
  #delivered = 0;
  #doubled = 0;
  /** "At this time, that many had been written", ascending; those below `#next` are dropped. */
  #marks: { seq: number; atMs: number }[] = [];

  /** All numbers up to `seq` are in the files. */
  write(seq: number, nowMs: number): void {
    if (seq <= this.#written) return;
    this.#written = seq;
    this.#marks.push({ seq, atMs: nowMs });
  }

  deliver(seq: number): void {
    if (seq >= this.#times.length) {
      const larger = new Uint8Array(Math.max(seq + 1, this.#times.length * 2));
      larger.set(this.#times);
      this.#times = larger;
    }
    // An array of bytes holds up to 255; what comes more often is as wrong at 255.
    const times = Math.min(255, this.#times[seq] + 1);
    this.#times[seq] = times;
    if (times === 1) this.#delivered++;
    if (times === 2) this.#doubled++;
    while (this.#times[this.#next] > 0) this.#next++;
  }

  /** The numbers now; with `final`, whatever is missing is lost. */
  numbers(nowMs: number, final = false): Numbers {
    const marks = (this.#marks = this.#marks.filter(({ seq }) => seq >= this.#next));
    const oldest = marks[0];
    const lostUpTo = final ? this.#written : (marks.findLast(({ atMs }) => nowMs - atMs > LOST_AFTER_MS)?.seq ?? 0);
    return {
      // A line can arrive before the service has reported it.
      written: Math.max(this.#written, this.#next - 1),
      delivered: this.#delivered,
      lagMs: final || oldest === undefined ? 0 : Math.max(0, Math.round(nowMs - oldest.atMs)),
      lost: this.#missing(lostUpTo),
      doubled: this.#doubled,
    };
  }

  #missing(upTo: number): number {
    let missing = 0;
    for (let seq = this.#next; seq <= upTo; seq++) if (!(this.#times[seq] > 0)) missing++;
    return missing;
  }
}

/** The line of contract §2. */
export function formatNumbers({ written, delivered, lagMs, lost, doubled }: Numbers): string {
  return `written=${written} delivered=${delivered} lag_ms=${lagMs} lost=${lost} doubled=${doubled}`;
}
