import { formatPath, type Path, type Problem } from "./problems.ts";

/** Names that are pannier's own, or that Elasticsearch keeps for itself. */
const RESERVED = new Set([
  "@timestamp",
  "log.file.path",
  "log.offset",
  "_id",
  "_index",
  "_source",
  "_routing",
  "_type",
  "_ignored",
]);

/** `{ service: { name: x } }` → `{ "service.name": x }`, checked for what a document cannot hold. */
export function flattenFields(
  fields: Readonly<Record<string, unknown>>,
  where: Path,
): { fields: Record<string, unknown>; problems: Problem[] } {
  const flat: Record<string, unknown> = {};
  const problems: Problem[] = [];
  const visit = (value: unknown, keys: readonly string[]): void => {
    const name = keys.join(".");
    const problem = (message: string): void =>
      void problems.push({ code: "config_value", path: [...where, ...keys], message });
    if (keys.some((key) => key.trim() === "")) problem("a field needs a name");
    else if (isObject(value)) for (const [key, child] of Object.entries(value)) visit(child, [...keys, key]);
    else if (RESERVED.has(name)) problem(`${name} cannot be set: it is pannier's own or the server's`);
    else if (!isJson(value)) problem("not a value that JSON can hold");
    else if (Object.hasOwn(flat, name)) problem(`${formatPath([...where, ...keys])} is given twice`);
    else flat[name] = value;
  };
  for (const [key, value] of Object.entries(fields)) visit(value, [key]);
  return { fields: flat, problems };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** YAML has `.nan`, `.inf` and integers beyond a double; JSON has not. */
function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (isObject(value)) return Object.values(value).every(isJson);
  if (typeof value === "number") return Number.isFinite(value);
  return value === null || typeof value === "string" || typeof value === "boolean";
}
