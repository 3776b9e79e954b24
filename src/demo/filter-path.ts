/**
 * `filter_path` of Elasticsearch, as far as exact names and `*` go: keeps what the paths name. Undefined when nothing is left.
 */
export function filterPath(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (paths.some((path) => path.length === 0)) return value;
  if (Array.isArray(value)) {
    const kept = value.map((item) => filterPath(item, paths)).filter((item) => item !== undefined);
    return kept.length === 0 ? undefined : kept;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Object.entries(value).flatMap(([key, child]) => {
    const below = paths.filter(([first]) => first === key || first === "*").map((path) => path.slice(1));
    const kept = below.length === 0 ? undefined : filterPath(child, below);
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
