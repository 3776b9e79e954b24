import { readFileSync } from "node:fs";

/** The oldest Node that pannier is tested on. */
const NODE_MIN: readonly [major: number, minor: number] = [22, 22];

/** Version of this package; the same relative path holds in `src/` and `dist/`. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Why this Node cannot run pannier, or undefined. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor, wantedMinor] = NODE_MIN;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `this is Node ${version}, and pannier needs ${wantedMajor}.${wantedMinor} or newer`;
}
