import { REASON_MAX_CHARS } from "../../core/limits.ts";
import { member } from "../http/control.ts";

/** What the collector says, to any request. */
export interface HecAnswer {
  readonly code: number;
  readonly text: string;
  /** Which event it stopped at. Whether the first is 0 or 1 differs between its codes. */
  readonly eventNumber: number | undefined;
  readonly ackId: number | undefined;
}

/** Reads an answer; undefined when it is not one of the collector's. */
export function readAnswer(json: unknown): HecAnswer | undefined {
  const code = wholeNumber(member(json, "code"));
  const text = member(json, "text");
  if (code === undefined || typeof text !== "string") return undefined;
  return {
    code,
    text: text.slice(0, REASON_MAX_CHARS),
    eventNumber: wholeNumber(member(json, "invalid-event-number")),
    ackId: wholeNumber(member(json, "ackId")),
  };
}

function wholeNumber(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
