/** What the conformance suite has to know of a kind of sink: how it is configured, and how its server answers. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Arrival, ItemOf } from "./bulk-store.ts";
import type { SequenceSet } from "./sequence-set.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What a good server has stored. */
export interface Store {
  readonly sequences: SequenceSet;
  /** In the order in which they were stored. */
  readonly arrivals: readonly Arrival[];
  /**
   * Takes a body as it came, without gzip, and answers. Where `itemOf` returns words, the server refuses that record with them,
   * in its own way.
   */
  take(body: Buffer, itemOf?: ItemOf): Answer;
}

export interface SinkKind {
  readonly type: "elasticsearch" | "loki" | "splunk";
  /** Further members of a sink's configuration. */
  readonly settings: readonly string[];
  /** Further members of `batch` that make bodies large. */
  readonly largeBodies: string;
  readonly createStore: () => Store;
  /** Headers of each answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** The path is that of records. */
  readonly isDelivery: (path: string) => boolean;
  /** Answers all other requests. */
  readonly beside: (request: IncomingMessage, response: ServerResponse) => void;
  /** How many records a body has, without taking them. */
  readonly countIn: (body: Buffer) => number;
  /** Its good answers have a body. */
  readonly answersWithBody: boolean;
  /** The server has what it gets twice only once. */
  readonly keepsOnce: boolean;
  /** Code of what pannier says of answers that no server of this kind gives, and such answers: all of them are good HTTP. */
  readonly stranger: string;
  readonly strangers: readonly Answer[];
  /** The whole request comes at a bad time. */
  readonly busy: Answer;
  readonly unauthorized: Answer;
  /** Something in the request is refused, and nothing says what. */
  readonly refused: Answer;
  /** Words for `Store.take`: this record is refused in every form, for what it says. */
  readonly refusal: string;
  /** A part of the reason that the record's dead letter has then. */
  readonly reason: string;
}
