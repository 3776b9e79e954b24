import { LOKI_PUSH_AHEAD_BYTES, LOKI_PUSH_BYTES_PER_S, LOKI_PUSH_MAX_BYTES } from "../../core/loki-limits.ts";

/**
 * When the next push of a stream may leave: so that the stream stays so slow that Loki takes each push whole, also when the same
 * is sent again and again because its answer never comes. What is written for a stream is no faster, so a push rarely waits.
 *
 * Little is saved up while a stream is silent: Loki takes what came in its first second for its speed, and adds the push at hand
 * to it. Nor does a process know what the one before it has just sent: the first push of each stream waits as if nothing were
 * saved up, and a push had just left.
 */
export class Turns {
  readonly #beganMs: number;
  /** By number of the stream. */
  readonly #nextMs: number[] = [];

  constructor(nowMs: number) {
    this.#beganMs = nowMs;
  }

  /** How long its next push has to wait; 0 or less: not at all. `share`: the speed that is wanted at most, of the usual one. */
  waitMs(stream: number, share: number, nowMs: number): number {
    return this.#nextOf(stream, share) - nowMs;
  }

  /** Notes that a push leaves. */
  left(stream: number, bytes: number, share: number, nowMs: number): void {
    const fromMs = Math.max(this.#nextOf(stream, share), nowMs - timeOf(LOKI_PUSH_AHEAD_BYTES, share));
    this.#nextMs[stream] = fromMs + timeOf(bytes, share);
  }

  #nextOf(stream: number, share: number): number {
    return this.#nextMs[stream] ?? this.#beganMs + timeOf(LOKI_PUSH_MAX_BYTES, share);
  }
}

function timeOf(bytes: number, share: number): number {
  return (bytes / (share * LOKI_PUSH_BYTES_PER_S)) * 1_000;
}
