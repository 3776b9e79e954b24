import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** V8 flags that the image, the unit and the launcher pass (contract §1). */
export const SHIPPED_FLAGS: readonly string[] = ["--min-semi-space-size=4", "--max-semi-space-size=4"];

/** `pannier run` on these paths into a receiver, with everything else at its default. */
export function pannierCommand(
  path: string,
  receiverUrl: string,
  stateDir: string,
  options: { flags?: readonly string[]; args?: readonly string[] } = {},
): string[] {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run npm run build first`);
  const to = `elasticsearch+${receiverUrl}`;
  const flags = options.flags ?? SHIPPED_FLAGS;
  return [process.execPath, ...flags, MAIN, "run", path, "--to", to, "--state-dir", stateDir, ...(options.args ?? [])];
}

export function pannierVersion(): string {
  return (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
}
