/** What the operator wants of the running process. SIGTERM or SIGINT: drain, and the second time end; SIGHUP: reload. */
export interface Signals {
  readonly first: AbortSignal;
  readonly second: AbortSignal;
  /** Resolves with the first. */
  readonly stopped: Promise<void>;
  /** `performance.now()` of the first; Infinity before. */
  readonly stoppedAtMs: number;
  /** Stops as the first signal does. */
  request(): void;
  /** Who reloads. A wish that came before anybody could is passed on now. */
  onReload(reload: () => void): void;
  /** Stops listening. */
  close(): void;
}

export function listenForSignals(): Signals {
  const first = new AbortController();
  const second = new AbortController();
  let stoppedAtMs = Infinity;
  let early = false;
  let reload = (): void => void (early = true);
  const stop = (): void => {
    stoppedAtMs = Math.min(stoppedAtMs, performance.now());
    first.abort();
  };
  const onStop = (): void => (first.signal.aborted ? second.abort() : stop());
  const onHangUp = (): void => reload();
  process.on("SIGTERM", onStop);
  process.on("SIGINT", onStop);
  process.on("SIGHUP", onHangUp);
  return {
    first: first.signal,
    second: second.signal,
    stopped: new Promise((resolve) => first.signal.addEventListener("abort", () => resolve())),
    get stoppedAtMs() {
      return stoppedAtMs;
    },
    request: stop,
    onReload(listener) {
      reload = listener;
      if (early) listener();
      early = false;
    },
    close() {
      process.off("SIGTERM", onStop);
      process.off("SIGINT", onStop);
      process.off("SIGHUP", onHangUp);
    },
  };
}
