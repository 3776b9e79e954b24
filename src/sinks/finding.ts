/** One thing that `probe` looked at. */
export interface Finding {
  /** False: `run` would not deliver. What it only should know has a hint. */
  readonly ok: boolean;
  readonly what: string;
  readonly detail: string;
  readonly hint?: string;
}
