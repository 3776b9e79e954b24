import { nearest } from "./nearest.ts";
import type { Path, Problem } from "./problems.ts";
import { FileSecret, literalSecret, type Part, PartsSecret, readSecretFile } from "./secret.ts";
import type { Secret } from "../core/config.ts";
import { describe, ExitCode, PannierError } from "../core/errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$$`, `${…}`, or a `${` that is never closed. */
const REFERENCE = /\$\$|\$\{([^}]*)(\})?/g;
/** `VAR`, `VAR:-default`, `VAR:?message`. */
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::([-?])([\s\S]*))?$/;

/** A configuration whose strings are replaced, and the secrets behind those that name a file, by `pathKey`. */
export interface Replaced {
  readonly value: unknown;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Files that were read for a `${file:…}`. */
  readonly files: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** Key of a path in `Replaced.secrets`. */
export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

/** Text that stands for itself. */
export function escape(text: string): string {
  return text.replaceAll("$", "$$$$");
}

/** Replaces the references in every string value. Keys stay as they are. */
export function replaceVariables(top: unknown, env: Environment): Replaced {
  const secrets = new Map<string, Secret>();
  const files = new Set<string>();
  const problems: Problem[] = [];

  function visit(value: unknown, path: Path): unknown {
    if (typeof value === "string") return replace(value, path);
    if (Array.isArray(value)) return value.map((item, i) => visit(item, [...path, i]));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]));
  }

  function replace(text: string, path: Path): string {
    if (!text.includes("$")) return text;
    const parts: Part[] = [];
    let end = 0;
    for (const match of text.matchAll(REFERENCE)) {
      parts.push(literalSecret(text.slice(end, match.index)));
      end = match.index + match[0].length;
      try {
        parts.push(match[0] === "$$" ? literalSecret("$") : resolve(match[1], match[2] !== undefined, env));
      } catch (error) {
        problems.push(problemOf(error, path));
      }
    }
    parts.push(literalSecret(text.slice(end)));
    for (const part of parts) if (part instanceof FileSecret) files.add(part.path);
    if (parts.some((part) => part instanceof FileSecret)) secrets.set(pathKey(path), new PartsSecret(parts));
    return parts.map((part) => part.read()).join("");
  }

  return { value: visit(top, []), secrets, files, problems };
}

function problemOf(error: unknown, path: Path): Problem {
  if (!(error instanceof PannierError)) throw error;
  return { code: error.code, path, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
}

function badReference(code: string, message: string, hint?: string): PannierError {
  return new PannierError(code, message, { exitCode: ExitCode.configuration, ...(hint === undefined ? {} : { hint }) });
}

/** The text behind what stands between `${` and `}`. */
function resolve(reference: string, closed: boolean, env: Environment): Part {
  if (!closed) throw badReference("config_variable", "`${` without `}`", "Write $$ for a dollar sign.");
  if (reference.startsWith("file:") && !/^file:[-?]/.test(reference)) {
    const file = reference.slice("file:".length);
    try {
      return new FileSecret(file, readSecretFile(file));
    } catch (error) {
      throw badReference(
        "config_secret_file",
        `cannot read the secret file ${file}: ${describe(error)}`,
        "Is the secret mounted, and may this user read it?",
      );
    }
  }
  const match = VARIABLE.exec(reference);
  if (match === null) {
    throw badReference(
      "config_variable",
      `\`\${${reference}}\` is no reference`,
      "Write ${VAR}, ${VAR:-default}, ${VAR:?message} or ${file:PATH}; $$ is a dollar sign.",
    );
  }
  const [, name, operator, rest] = match as unknown as [string, string, string | undefined, string];
  const value = env[name];
  if (operator === undefined && value !== undefined) return literalSecret(value);
  if (operator !== undefined && value !== undefined && value !== "") return literalSecret(value);
  if (operator === "-") return literalSecret(rest);
  if (operator === "?") throw badReference("config_variable", `${name} is not set: ${rest}`);
  const near = nearest(name, Object.keys(env));
  throw badReference(
    "config_variable",
    `the environment variable ${name} is not set${near === undefined ? "" : `, did you mean "${near}"?`}`,
    "Set it, or write ${VAR:-default}.",
  );
}
