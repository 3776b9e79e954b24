import type { Clock } from "../../core/clock.ts";
import {
  LOKI_PACE_FORGOTTEN_MS,
  LOKI_PACE_GROWTH_PER_S,
  LOKI_PACE_SHARE,
  LOKI_PACE_WAIT_MAX_MS,
} from "../../core/loki-limits.ts";
import { pause } from "../wait.ts";

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/**
 * How fast a server may be sent to. Nothing is known of that until it refuses for its limit: then the speed is the one that
 * it names, or that of what it took last, and a little less with every further refusal. From there it grows again slowly, and
 * is forgotten when there was no refusal for long.
 */
export class Pace {
  readonly #clock: Clock;
  /** Bytes of lines and metadata a second. */
  #rate = Infinity;
  /** When the next push may go. */
  #nextMs = 0;
  #refusedMs = -Infinity;
  #grownMs = 0;
  /** What the server counts for each byte that is counted here. */
  #scale = 1;
  /** What was taken since when, to know the speed. */
  #takenBytes = 0;
  #takenSinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get bytesPerSecond(): number {
    return this.#rate;
  }

  /** Waits for the turn of a push of that many bytes. */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#rate === Infinity) return;
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = startMs + ((bytes * this.#scale) / this.#rate) * 1_000;
    if (startMs > nowMs) await pause(startMs - nowMs, signal);
  }

  /** A push was taken. */
  taken(bytes: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#takenSinceMs > 10_000) {
      this.#takenSinceMs = nowMs;
      this.#takenBytes = 0;
    }
    this.#takenBytes += bytes * this.#scale;
    if (this.#rate === Infinity) return;
    if (nowMs - this.#refusedMs > LOKI_PACE_FORGOTTEN_MS) this.#rate = Infinity;
    else this.#rate *= 1 + (LOKI_PACE_GROWTH_PER_S * (nowMs - this.#grownMs)) / 1_000;
    this.#grownMs = nowMs;
  }

  /** Whether a push is more than a second's worth: the server saves up no more than that for sure, and might never take it. */
  isTooMuchAtOnce(message: string): boolean {
    const counted = Number(/totaling '(\d+)' bytes/.exec(message)?.[1] ?? 0);
    return counted > (limitOf(message) ?? Infinity);
  }

  /** A push was refused for the speed: the next one goes when there is room for one like it. */
  refused(message: string, bytes: number): void {
    const nowMs = this.#clock.monotonicMs();
    const counted = Number(/totaling '(\d+)' bytes/.exec(message)?.[1] ?? bytes);
    if (bytes > 0) this.#scale = Math.min(2, Math.max(0.5, counted / bytes));
    const seconds = Math.max(1, (nowMs - this.#takenSinceMs) / 1_000);
    const known = Math.min(this.#rate, limitOf(message) ?? Infinity);
    this.#rate = Math.max(1_024, (known < Infinity ? known : this.#takenBytes / seconds) * LOKI_PACE_SHARE);
    this.#refusedMs = nowMs;
    this.#grownMs = nowMs;
    this.#nextMs = Math.max(this.#nextMs, nowMs + Math.min((counted / this.#rate) * 1_000, LOKI_PACE_WAIT_MAX_MS));
  }
}

/** The limit that a refusal names: `limit: 4194304 bytes/sec`, or `limit: 3MB/s` of one stream. */
function limitOf(message: string): number | undefined {
  const bytes = /limit: (\d+) bytes\/sec/.exec(message)?.[1];
  if (bytes !== undefined) return Number(bytes);
  const [, size, unit = ""] = /limit: ([\d.]+)([KMG]?B)\/s/.exec(message) ?? [];
  return size === undefined ? undefined : Number(size) * (UNITS[unit] ?? 1);
}
