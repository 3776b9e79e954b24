import path from "node:path";
import type { InputConfig, LokiConfig } from "../../core/config.ts";

/** Label of streams that what lags behind, or comes faster than one stream takes it, is kept apart in. */
export const BACKFILL_LABEL = "pannier_backfill";
/** The one label that every stream has. */
export const SERVICE_LABEL = "service_name";

/** Longest value that Loki takes by default. */
const VALUE_MAX_CHARS = 2_048;

const PLACEHOLDER = /\{(\w+)\}/g;

/** Names in braces that stand for a part of a file's path: `{1}` and so on, and `{name}`. */
export function placeholdersOf(template: string): string[] {
  return Array.from(template.matchAll(PLACEHOLDER), ([, name]) => name);
}

export function isPlaceholder(name: string): boolean {
  return name === "name" || /^[1-9]$/.test(name);
}

/** The labels of the files of one input. */
export class Labels {
  readonly #templates: Readonly<Record<string, string>>;
  readonly #roots: readonly string[];

  constructor(
    config: Pick<LokiConfig, "labels">,
    input: Pick<InputConfig, "paths" | "fields"> | undefined,
    serviceName: string | undefined,
  ) {
    const field = input?.fields["service.name"];
    const service = typeof field === "string" && field !== "" ? field : (serviceName ?? "unknown_service");
    this.#templates = { [SERVICE_LABEL]: service, ...config.labels };
    this.#roots = (input?.paths ?? []).map(rootOf);
  }

  /** Names and values for a file, by the path under which it was first seen; empty values are none. */
  of(file: string): Map<string, string> {
    const parts = this.#partsOf(file);
    const labels = new Map<string, string>();
    for (const [name, template] of Object.entries(this.#templates)) {
      const value = template.replaceAll(PLACEHOLDER, (_whole, part: string) => parts.get(part) ?? "");
      if (value !== "") labels.set(name, value.toWellFormed().slice(0, VALUE_MAX_CHARS));
    }
    return labels;
  }

  /** `{1}`, `{2}`, … are the directories below what is fixed in the input's path, `{name}` the file's name up to its first dot. */
  #partsOf(file: string): ReadonlyMap<string, string> {
    const root = this.#roots.filter((each) => file.startsWith(each)).toSorted((a, b) => b.length - a.length)[0] ?? "/";
    const segments = file
      .slice(root.length)
      .split("/")
      .filter((segment) => segment !== "");
    const parts = new Map(segments.slice(0, -1).map((segment, i) => [String(i + 1), segment]));
    return parts.set("name", path.basename(file).replace(/(?<=.)\..*$/s, ""));
  }
}

/** What is fixed in the path of an input: a directory, or what stands before the first special character of a glob. */
function rootOf(pattern: string): string {
  const special = pattern.search(/[*?[\]{}()!+@]/);
  if (special >= 0) return pattern.slice(0, pattern.lastIndexOf("/", special) + 1);
  return /\.\w+$/.test(pattern) ? `${path.dirname(pattern)}/` : `${pattern}/`;
}

/** Labels as Loki writes them: `{a="1", b="2"}`, by name. */
export function labelText(labels: ReadonlyMap<string, string>): string {
  const pairs = [...labels].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`;
}

/** Labels of a stream for what is kept apart: that of one file alone, a part of what comes fast, or both. */
export function backfillLabels(
  labels: ReadonlyMap<string, string>,
  fileKey: string | undefined,
  part: number | undefined,
): ReadonlyMap<string, string> {
  const names = [fileKey?.slice(0, 8), part === undefined ? undefined : `part-${part}`];
  return new Map([...labels, [BACKFILL_LABEL, names.filter((name) => name !== undefined).join("-")]]);
}

/** The stream is that of one file alone. */
export function isOfOneFile(labels: ReadonlyMap<string, string>): boolean {
  return /^[0-9a-f]{8}/.test(labels.get(BACKFILL_LABEL) ?? "");
}

/** The one label that every stream has. */
export function serviceLabels(labels: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([[SERVICE_LABEL, labels.get(SERVICE_LABEL) ?? ""]]);
}
