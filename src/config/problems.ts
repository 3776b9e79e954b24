import { ExitCode, PannierError } from "../core/errors.ts";

/** Keys from the top of the configuration to a value. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** Stable, `config_…`. */
  readonly code: string;
  readonly path: Path;
  /** Point at the key rather than at its value. */
  readonly atKey?: boolean;
  readonly message: string;
  readonly hint?: string;
}

/** Where a value came from: `pannier.yaml:3:7`, `--to`, `PANNIER_STATE_DIR`. */
export interface Place {
  readonly text: string;
  /** It came from the command line, so the mistake is one of usage. */
  readonly flag: boolean;
  /** Characters into the file, which makes the path inside it worth saying; undefined for what came from elsewhere. */
  readonly offset: number | undefined;
}

export type Locate = (path: Path, atKey: boolean) => Place;

/** `["inputs", 0, "paths"]` → `inputs[0].paths`. */
export function formatPath(path: Path): string {
  return path
    .map((part, i) =>
      typeof part === "number"
        ? `[${part}]`
        : `${i > 0 ? "." : ""}${/^[\w-]+$/.test(part) ? part : JSON.stringify(part)}`,
    )
    .join("");
}

/** What stands at a path, or undefined. */
export function valueAt(top: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<string | number, unknown> | null | undefined)?.[key],
    top,
  );
}

/** One error for all problems, a line each, in the order of the file. */
export function configError(problems: readonly Problem[], locate: Locate): PannierError {
  const placed = problems
    .map((problem) => ({ problem, place: locate(problem.path, problem.atKey ?? false) }))
    .toSorted((a, b) => (a.place.offset ?? -1) - (b.place.offset ?? -1));
  const lines = placed.map(({ problem, place }) => {
    const path = place.offset === undefined ? "" : formatPath(problem.path);
    return [place.text, ...(path === "" ? [] : [path]), problem.message].join(": ");
  });
  const usage = placed.every(({ problem, place }) => place.flag && problem.code === "config_value");
  const hints = new Set(placed.flatMap(({ problem }) => problem.hint ?? []));
  return new PannierError(placed[0].problem.code, lines.join("\n"), {
    exitCode: usage ? ExitCode.usage : ExitCode.configuration,
    ...(hints.size > 0 ? { hint: [...hints].join("\n") } : {}),
  });
}

/** A value for a message: short, and without credentials. */
export function quote(value: unknown, path: Path): string {
  if (path.includes("auth")) return "this value";
  const text = (JSON.stringify(value) ?? String(value)).replaceAll(/\/\/[^\s"]*@/g, "//***@");
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
