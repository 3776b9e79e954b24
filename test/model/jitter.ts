/** A processor that others use too: what runs here stands still for a moment, at any moment, as often as not. */
const PAUSE_MAX_MS = 6;

/** Stands still for up to `maxMs`, mostly for much less, again and again until the process ends. */
export function jitter(maxMs: number): void {
  const lastMs = Math.random() < 0.5 ? 0 : Math.random() ** 2 * maxMs;
  const until = performance.now() + lastMs;
  while (performance.now() < until);
  setTimeout(() => jitter(maxMs), Math.random() * PAUSE_MAX_MS).unref();
}
