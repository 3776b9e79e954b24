import type { Clock } from "../../core/clock.ts";
import {
  LOKI_PACE_GROWTH_PER_S,
  LOKI_PACE_LATE_MS,
  LOKI_PACE_LOWERED,
  LOKI_PACE_SHARE,
  LOKI_PACE_WAIT_MAX_MS,
  LOKI_PACE_WAIT_SHARE,
} from "../../core/loki-limits.ts";
import { pause } from "../wait.ts";

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/**
 * How fast a server may be sent to. Nothing is known of that until it refuses for its limit and names it: from then on that is
 * the speed. It grows slowly, since behind a balancer each server names its part only, and since limits are raised; every
 * further refusal lowers it. A refusal costs little, as the server saves up what it does not give: so the next try is soon.
 */
export class Pace {
  readonly #clock: Clock;
  /** Bytes of lines and metadata a second. */
  #rate = Infinity;
  /** When the next push may go. */
  #nextMs = 0;
  #grownMs = 0;
  /** Refusals since something was taken. */
  #refusals = 0;
  /** What the server counts for each byte that is counted here. */
  #scale = 1;

  readonly #pause: typeof pause;

  /** `wait`: how it waits. */
  constructor(clock: Clock, wait: typeof pause = pause) {
    this.#clock = clock;
    this.#pause = wait;
  }

  get bytesPerSecond(): number {
    return this.#rate;
  }

  /** Waits for the turn of a push of that many bytes. */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    // While one waits, another one may be refused, or go first.
    for (;;) {
      const nowMs = this.#clock.monotonicMs();
      if (nowMs >= this.#nextMs) {
        // A timer that was a little late makes the next wait shorter.
        const startMs = nowMs - this.#nextMs < LOKI_PACE_LATE_MS ? this.#nextMs : nowMs;
        this.#nextMs = startMs + ((bytes * this.#scale) / this.#rate) * 1_000;
        return;
      }
      await this.#pause(this.#nextMs - nowMs, signal);
    }
  }

  /** A push was taken. */
  taken(): void {
    this.#refusals = 0;
    const nowMs = this.#clock.monotonicMs();
    // What was not sent has proved nothing.
    this.#rate *= 1 + LOKI_PACE_GROWTH_PER_S * Math.min(1, (nowMs - this.#grownMs) / 1_000);
    this.#grownMs = nowMs;
  }

  /** Whether a push is more than a second's worth: the server saves up no more than that for sure, and might never take it. */
  isTooMuchAtOnce(message: string): boolean {
    const counted = Number(/totaling '(\d+)' bytes/.exec(message)?.[1] ?? 0);
    return counted > (limitOf(message) ?? Infinity);
  }

  /** A push was refused for the speed of the whole. False: the server does not say how fast it may be. */
  refused(message: string, bytes: number): boolean {
    const limit = limitOf(message);
    if (limit === undefined) return false;
    const counted = Number(/totaling '(\d+)' bytes/.exec(message)?.[1] ?? bytes);
    if (bytes > 0) this.#scale = Math.min(2, Math.max(0.5, counted / bytes));
    const lowered = this.#rate === Infinity ? 0 : this.#rate * LOKI_PACE_LOWERED;
    this.#rate = Math.max(1, lowered, limit * LOKI_PACE_SHARE);
    this.#grownMs = this.#clock.monotonicMs();
    this.hold(counted, this.#rate);
    return true;
  }

  /** Something of a push was refused, and has to wait for a part of the time that it takes at that speed. */
  hold(bytes: number, bytesPerSecond: number): void {
    const share = Math.min(1, LOKI_PACE_WAIT_SHARE * 2 ** this.#refusals++);
    const waitMs = Math.min(share * (bytes / bytesPerSecond) * 1_000, LOKI_PACE_WAIT_MAX_MS);
    this.#nextMs = this.#clock.monotonicMs() + waitMs;
  }
}

/** The limit that a refusal names: `limit: 4194304 bytes/sec`, or `limit: 3MB/sec` of one stream. */
function limitOf(message: string): number | undefined {
  const bytes = /limit: (\d+) bytes\/sec/.exec(message)?.[1];
  return bytes === undefined ? sizeOf(/limit: ([\d.]+[KMG]?B)\/s/.exec(message)?.[1]) : Number(bytes);
}

/** What one stream may take a second, and how much of it was refused, when that is what a refusal is about. */
export function streamRefusal(message: string): { readonly limit: number; readonly bytes: number } | undefined {
  const limit = sizeOf(/Per stream rate limit exceeded \(limit: ([\d.]+[KMG]?B)\/s/.exec(message)?.[1]);
  if (limit === undefined || limit <= 0) return undefined;
  const bytes = sizeOf(/ totaling ([\d.]+[KMG]?B)/.exec(message)?.[1]) ?? limit;
  // With streams split by Loki, the size is that of all its entries; else that of the first one that was refused.
  return { limit, bytes: Math.max(bytes, limit / 4) };
}

function sizeOf(text: string | undefined): number | undefined {
  const [, size, unit = ""] = /^([\d.]+)([KMG]?B)$/.exec(text ?? "") ?? [];
  return size === undefined ? undefined : Number(size) * (UNITS[unit] ?? 1);
}
