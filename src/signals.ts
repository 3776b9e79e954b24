/** The operator's wish to stop: the first SIGTERM or SIGINT begins the drain, the second ends it. */
export interface StopSignals {
  readonly first: AbortSignal;
  readonly second: AbortSignal;
  /** Resolves with the first. */
  readonly stopped: Promise<void>;
  /** Stops as the first signal does. */
  request(): void;
  /** Stops listening. */
  close(): void;
}

export function listenForStop(): StopSignals {
  const first = new AbortController();
  const second = new AbortController();
  const onSignal = (): void => (first.signal.aborted ? second : first).abort();
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    first: first.signal,
    second: second.signal,
    stopped: new Promise((resolve) => first.signal.addEventListener("abort", () => resolve())),
    request: () => first.abort(),
    close() {
      process.off("SIGTERM", onSignal);
      process.off("SIGINT", onSignal);
    },
  };
}
