import {
  LOKI_FLOW_AHEAD_BYTES,
  LOKI_FLOW_BYTES_PER_S,
  LOKI_FLOW_WINDOW_MS,
  LOKI_PARTS_MAX,
  LOKI_PARTS_STEP,
} from "../../core/loki-limits.ts";

/**
 * How much goes to the streams of one set of labels, and over how many parts it is spread so that none of them is so fast that
 * Loki splits it (`shard_streams`): what is sent again may land in another piece then, and is there twice.
 *
 * Loki splits a stream whose speed, averaged over seconds, and the push at hand come to more than 1.5 MB. So a part that gets
 * more than its share of that for a moment makes four of each, and four become one when they had less than half of it for long.
 */
export class Flow {
  /** Parts to begin with from here on. */
  parts = 1;
  #bytes = 0;
  #lookedMs = Number.NaN;
  /** What came faster than these parts may take it. */
  #aheadBytes = 0;
  #windowBytes = 0;
  #windowMs = 0;

  /** Notes what was written for these streams. */
  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The process before this one spread it over so many; what it has left behind comes fast. */
  goOn(parts: number): void {
    if (Number.isNaN(this.#lookedMs)) this.parts = Math.max(this.parts, parts);
  }

  /** Looks at what came since the last time; parts may be more or fewer then. `share`: the speed that is wanted at most, of the usual one. */
  look(nowMs: number, share: number, maxParts: number = LOKI_PARTS_MAX): number {
    if (Number.isNaN(this.#lookedMs)) this.#lookedMs = this.#windowMs = nowMs;
    const passedMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    const perMs = (share * LOKI_FLOW_BYTES_PER_S) / 1_000;
    this.#aheadBytes = Math.max(0, this.#aheadBytes + this.#bytes - passedMs * perMs * this.parts);
    this.#windowBytes += this.#bytes;
    this.#bytes = 0;
    const windowMs = nowMs - this.#windowMs;
    if (this.#aheadBytes > Math.min(this.parts, 2) * LOKI_FLOW_AHEAD_BYTES && this.parts * LOKI_PARTS_STEP <= maxParts)
      this.#become(this.parts * LOKI_PARTS_STEP, nowMs);
    else if (windowMs >= LOKI_FLOW_WINDOW_MS) {
      const fewer = this.parts / LOKI_PARTS_STEP;
      this.#become(this.parts > 1 && this.#windowBytes < (windowMs * perMs * fewer) / 2 ? fewer : this.parts, nowMs);
    }
    return this.parts;
  }

  #become(parts: number, nowMs: number): void {
    if (parts !== this.parts) this.#aheadBytes = 0;
    this.parts = parts;
    this.#windowBytes = 0;
    this.#windowMs = nowMs;
  }
}
