import { mkdirSync, rmSync } from "node:fs";
import { access, mkdtemp, rename } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

/** Where servers that were prepared once stay, outside the repository. */
export function cacheDir(): string {
  const base = process.env["XDG_CACHE_HOME"] ?? path.join(os.homedir(), ".cache");
  const directory = path.join(base, "pannier-test-servers");
  mkdirSync(directory, { recursive: true });
  return directory;
}

/**
 * A directory of the cache that is either absent or complete: it is filled under another name and then renamed, so that
 * two runs may prepare the same thing at once and the second to finish throws its own away. `key` names the content: when
 * what it was made from changes, so must the key.
 */
export async function cached(key: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const final = path.join(cacheDir(), key);
  if (await exists(final)) return final;
  const draft = await mkdtemp(`${final}.`);
  try {
    await fill(draft);
    await rename(draft, final);
  } catch (error) {
    if (!(await exists(final))) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return final;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
