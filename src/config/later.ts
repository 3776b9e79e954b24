/** What the configuration's format knows and this version does not do yet. Saying so beats "unknown key". */

const INPUT_KEYS = ["multiline"];
const FORMATS = ["logfmt", "cri", "docker", "syslog", "access", "klog"];

/** The key belongs to the format, but not to this version. `path` leads to the key. */
export function isLaterKey(path: readonly (string | number)[]): boolean {
  return path.length === 3 && path[0] === "inputs" && INPUT_KEYS.includes(String(path[2]));
}

/** The value belongs to the format, but not to this version. */
export function isLaterValue(path: readonly (string | number)[], value: unknown): boolean {
  const key = path.at(-1);
  if (path.length !== 3) return false;
  if (path[0] !== "inputs" || key !== "format") return false;
  return (
    FORMATS.includes(String(value)) || (typeof value === "object" && value !== null && Object.hasOwn(value, "pattern"))
  );
}
