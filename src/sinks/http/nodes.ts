import type { Clock } from "../../core/clock.ts";
import { NODE_REST_FIRST_MS, NODE_REST_MAX_MS } from "../../core/delivery-limits.ts";

/** One address of the cluster. */
export interface Node {
  /** Scheme, host and port: safe to show. */
  readonly origin: string;
  readonly url: URL;
  failures: number;
  restsUntilMs: number;
}

/** Addresses in turn; one that failed rests for a while, longer each time, unless all of them do. */
export class NodeRing {
  readonly all: readonly Node[];
  readonly #clock: Clock;
  #next = 0;

  constructor(urls: readonly string[], clock: Clock) {
    this.#clock = clock;
    this.all = urls.map((text) => {
      const url = new URL(text);
      return { origin: `${url.protocol}//${url.host}`, url, failures: 0, restsUntilMs: 0 };
    });
  }

  /** The next node that does not rest, else the one whose rest ends first. */
  pick(): Node {
    const nowMs = this.#clock.monotonicMs();
    let best: Node | undefined;
    for (let i = 0; i < this.all.length; i++) {
      const node = this.all[(this.#next + i) % this.all.length];
      if (node.restsUntilMs <= nowMs) {
        this.#next = (this.#next + i + 1) % this.all.length;
        return node;
      }
      if (best === undefined || node.restsUntilMs < best.restsUntilMs) best = node;
    }
    return best!;
  }

  failed(node: Node): void {
    const restMs = Math.min(NODE_REST_MAX_MS, NODE_REST_FIRST_MS * 2 ** Math.min(node.failures++, 16));
    node.restsUntilMs = this.#clock.monotonicMs() + restMs;
  }

  worked(node: Node): void {
    node.failures = 0;
    node.restsUntilMs = 0;
  }
}
