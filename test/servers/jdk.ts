import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import path from "node:path";

/** Elasticsearch 9 runs on Java 21 and later. */
const MIN_VERSION = 21;
const INSTALLED_BELOW = "/usr/lib/jvm";

/** The home of a JDK (compiler included) of version 21 or later; throws with what to do when there is none. */
export function findJdk(): string {
  const named = Object.entries(process.env)
    .filter(([name]) => /^JAVA_HOME(_\d+)?$/.test(name))
    .map(([, home]) => home ?? "");
  const installed = existsSync(INSTALLED_BELOW)
    ? readdirSync(INSTALLED_BELOW).map((d) => path.join(INSTALLED_BELOW, d))
    : [];
  const homes = [...named, ...installed].filter((home) => existsSync(path.join(home, "bin/javac")));
  const found = homes.find((home) => versionOf(home) >= MIN_VERSION);
  if (found === undefined) {
    throw new Error(`no JDK ${MIN_VERSION} or later: set JAVA_HOME, or install one below ${INSTALLED_BELOW}`);
  }
  return realpathSync(found);
}

/** `25` of a home whose `release` file says `JAVA_VERSION="25.0.3"`; 0 when it says nothing. */
function versionOf(home: string): number {
  try {
    return Number(/^JAVA_VERSION="(\d+)/m.exec(readFileSync(path.join(home, "release"), "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
