/** What a receiver holds, and the ways in which it may misbehave. */

/** One document as it arrived for the first time. */
export interface Arrived {
  readonly id: string;
  readonly message: string;
  readonly flags: readonly string[];
  readonly path: string;
  readonly offset: number;
}

/**
 * `refused`: no one listens. `reset`: the connection breaks in the middle of the body. `half`: all is taken, half the answer
 * comes. `swallow`: all is taken, no answer comes, the connection breaks. `mute`: nothing is taken and nothing answered.
 * `muteTaken`: all is taken and nothing answered. `some`: every other document is taken, the rest is told 429. `tooLarge`: 413
 * for more than a few documents. `slow`: the answer takes its time.
 */
export const FAULTS = [
  "refused",
  "reset",
  "half",
  "swallow",
  "mute",
  "muteTaken",
  "busy",
  "unavailable",
  "some",
  "tooLarge",
  "slow",
] as const;
export type Fault = (typeof FAULTS)[number];

/** `tooLarge`: more documents than this are. */
export const LARGE_DOCUMENTS = 4;

export interface Receiver {
  readonly index: Index;
  /** The latest requests, for a failure. */
  readonly requests: readonly string[];
  /** Misbehaves for so many requests; `refused` lasts until it is healed. */
  misbehave(fault: Fault, requests: number): Promise<void>;
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** Every document by its `_id`: the first one under an id stays. */
export class Index {
  readonly documents: Map<string, Arrived> = new Map();

  /** Takes what two lines of a bulk body say; false: the id is there already. */
  take(action: string, source: string): boolean {
    const id = (JSON.parse(action) as { create: Record<string, string> }).create["_id"];
    if (this.documents.has(id)) return false;
    const fields = JSON.parse(source) as Record<string, unknown>;
    this.documents.set(id, {
      id,
      message: String(fields["message"]),
      flags: (fields["log.flags"] as string[] | undefined) ?? [],
      path: String(fields["log.file.path"]),
      offset: Number(fields["log.offset"]),
    });
    return true;
  }
}
