/**
 * What the stages say to the operator. Each call is one JSON line on stderr with a stable `code`; the implementation
 * (`telemetry/`) redacts secrets and folds repetitions.
 */
export interface Log {
  debug(code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(code: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
}
