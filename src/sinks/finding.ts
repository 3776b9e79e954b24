/** One thing that `probe` looked at. */
export interface Finding {
  /** False: `run` would not deliver, or not as promised. */
  readonly ok: boolean;
  readonly what: string;
  readonly detail: string;
  readonly hint?: string;
}
