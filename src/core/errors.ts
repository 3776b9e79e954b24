/** Exit codes of the process, after BSD's sysexits.h. */
export const ExitCode = {
  ok: 0,
  findings: 1,
  usage: 64,
  unavailable: 69,
  internal: 70,
  state: 74,
  undelivered: 75,
  configuration: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * An error that an operator reads. `code` is stable and can be searched for; `message` says what happened and what was lost,
 * `hint` why it usually happens and which setting to turn. The cause is kept.
 */
export class PannierError extends Error {
  override readonly name = "PannierError";
  readonly code: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, options: { hint?: string; exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? ExitCode.internal;
  }
}

/** The `code` of a Node system error (`ENOENT`, …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** One line of text for any thrown value. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
