import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../core/clock.ts";
import { SPLUNK_ACK_EVERY_MAX_MS, SPLUNK_ACK_FIRST_MS, SPLUNK_ACK_MAX_MS } from "../../core/splunk-limits.ts";
import type { Problem } from "../exchange.ts";
import type { Carrier } from "../http/carrier.ts";
import { callControl, member } from "../http/control.ts";
import type { Node } from "../http/nodes.ts";
import { pause } from "../wait.ts";
import { readAnswer } from "./answer.ts";
import { describeUnacknowledged } from "./problem.ts";

/** What came back with events that will be acknowledged. */
export interface Pending {
  readonly ackId: number;
  readonly node: Node;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Channels, and the waiting for acknowledgements on them. The collector numbers the requests of a channel, counts from 0 again
 * when it is restarted, and forgets: one number could then come to stand for another request. So each lane has a channel of
 * its own with one request on it at a time, and takes a new one whenever it is not certain what became of a request.
 */
export class Acknowledgements {
  readonly #carrier: Carrier;
  readonly #clock: Clock;
  readonly #channels: string[] = [];

  constructor(carrier: Carrier, clock: Clock) {
    this.#carrier = carrier;
    this.#clock = clock;
  }

  channelOf(lane: number): string {
    return (this.#channels[lane] ??= randomUUID());
  }

  /** The next request of that lane goes on another channel. */
  renew(lane: number): void {
    this.#channels[lane] = randomUUID();
  }

  /** Asks until the events of a lane's last request are indexed: undefined then, else why they have to be sent again. */
  async wait(lane: number, { ackId, node, headers }: Pending, signal: AbortSignal): Promise<Problem | undefined> {
    const call = {
      method: "POST",
      path: `/services/collector/ack?channel=${this.channelOf(lane)}`,
      body: { acks: [ackId] },
      node,
      ...cookiesOf(headers),
    };
    const startMs = this.#clock.monotonicMs();
    let last = "";
    for (let waitMs = SPLUNK_ACK_FIRST_MS; ; waitMs = Math.min(waitMs * 2, SPLUNK_ACK_EVERY_MAX_MS)) {
      await pause(waitMs, signal);
      const answer = await callControl(this.#carrier, call, signal);
      if ("kind" in answer) last = answer.message;
      else if (answer.status === 200 && member(member(answer.json, "acks"), String(ackId)) === true) return undefined;
      else if (answer.status !== 200) last = readAnswer(answer.json)?.text ?? `status ${answer.status}`;
      const isOver = this.#clock.monotonicMs() - startMs >= SPLUNK_ACK_MAX_MS;
      // Channel unknown, or nothing is acknowledged any more: no answer will ever come.
      const isHopeless = !("kind" in answer) && answer.status === 400;
      if (!isOver && !isHopeless) continue;
      this.renew(lane);
      const seconds = Math.round((this.#clock.monotonicMs() - startMs) / 1_000);
      return describeUnacknowledged(seconds, last, node.origin);
    }
  }
}

/** Only the collector that took the events knows about them; a load balancer finds it again by its cookie. */
function cookiesOf(headers: IncomingHttpHeaders): { readonly headers?: { readonly cookie: string } } {
  const cookies = (headers["set-cookie"] ?? []).map((cookie) => cookie.split(";")[0]);
  return cookies.length === 0 ? {} : { headers: { cookie: cookies.join("; ") } };
}
