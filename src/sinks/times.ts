import {
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  DOWN_AFTER_MS,
  POISON_AFTER_MS,
  POISON_TRIES,
  REFUSING_INTERVAL_MS,
  REFUSING_WINDOW_RECORDS,
} from "../core/delivery-limits.ts";

/** Times and counts of a delivery; tests pass shorter ones. */
export interface DeliveryTimes {
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
  readonly poisonTries: number;
  readonly poisonAfterMs: number;
  readonly refusingWindowRecords: number;
  readonly refusingIntervalMs: number;
  readonly downAfterMs: number;
}

export const defaultTimes: DeliveryTimes = {
  backoffFirstMs: BACKOFF_FIRST_MS,
  backoffMaxMs: BACKOFF_MAX_MS,
  poisonTries: POISON_TRIES,
  poisonAfterMs: POISON_AFTER_MS,
  refusingWindowRecords: REFUSING_WINDOW_RECORDS,
  refusingIntervalMs: REFUSING_INTERVAL_MS,
  downAfterMs: DOWN_AFTER_MS,
};
