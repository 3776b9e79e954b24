import { PannierError, ExitCode } from "../core/errors.ts";
import { parseDestination } from "./destination.ts";
import type { ConfigDocument } from "./document.ts";
import type { Locate, Path, Place } from "./problems.ts";
import { type Environment, escape } from "./variables.ts";

/** What the command line says, by flag. */
export interface Flags {
  readonly config?: string;
  readonly paths?: readonly string[];
  readonly to?: readonly string[];
  readonly "state-dir"?: string;
  readonly admin?: string;
  readonly health?: string;
  readonly "memory-limit"?: string;
  readonly "drain-deadline"?: string;
  readonly "log-level"?: string;
}

type Flag = Exclude<keyof Flags, "config">;

/** Where a flag and its environment twin stand in the file, and how. */
const SETTINGS: readonly {
  flag: Flag;
  env: string;
  path: readonly string[];
  value: (given: readonly string[]) => unknown;
}[] = [
  { flag: "paths", env: "PANNIER_PATHS", path: ["inputs"], value: (paths) => [{ paths: paths.map(escape) }] },
  { flag: "to", env: "PANNIER_TO", path: ["sinks"], value: (urls) => urls.map(parseDestination) },
  { flag: "state-dir", env: "PANNIER_STATE_DIR", path: ["state_dir"], value: literal },
  { flag: "admin", env: "PANNIER_ADMIN", path: ["admin"], value: listener },
  { flag: "health", env: "PANNIER_HEALTH", path: ["health"], value: listener },
  { flag: "memory-limit", env: "PANNIER_MEMORY_LIMIT", path: ["memory", "limit"], value: literal },
  { flag: "drain-deadline", env: "PANNIER_DRAIN_DEADLINE", path: ["drain", "deadline"], value: literal },
  { flag: "log-level", env: "PANNIER_LOG_LEVEL", path: ["log", "level"], value: literal },
];

/** Environment twins of all flags, `--config` and the switches of the command line included. */
export const ENVIRONMENT_NAMES: readonly string[] = [
  "PANNIER_CONFIG",
  "PANNIER_ONCE",
  "PANNIER_STDIN",
  ...SETTINGS.map((setting) => setting.env),
];

function literal([text]: readonly string[]): string {
  return escape(text ?? "");
}

function listener([text]: readonly string[]): unknown {
  return text === "off" || text === "false" ? "off" : { listen: escape(text ?? "") };
}

/** The configuration before its variables are replaced, and where each part of it came from. */
export interface Merged {
  readonly value: unknown;
  readonly locate: Locate;
}

/** Lays flags over the environment, and that over the file. What is replaced whole (`sinks`, `inputs`) is never looked at. */
export function merge(document: ConfigDocument | undefined, env: Environment, flags: Flags): Merged {
  const value = withoutNulls(document?.value ?? {});
  const origins: { path: Path; place: Place }[] = [];
  const put = (path: readonly string[], part: unknown, place: Place): void => {
    origins.push({ path, place });
    if (isObject(value)) setAt(value, path, part);
  };
  if (isObject(value) && value["state_dir"] === undefined && env["STATE_DIRECTORY"])
    put(["state_dir"], escape(env["STATE_DIRECTORY"].split(":")[0]), {
      text: "STATE_DIRECTORY",
      flag: false,
      offset: undefined,
    });
  for (const { flag, env: name, path, value: toValue } of SETTINGS) {
    const given = flags[flag];
    const twin = env[name]?.trim();
    if (given !== undefined) {
      put(path, toValue([given].flat()), {
        text: flag === "paths" ? "PATH" : `--${flag}`,
        flag: true,
        offset: undefined,
      });
    } else if (twin !== undefined && twin !== "") {
      const list = flag === "paths" || flag === "to";
      put(
        path,
        fromEnvironment(name, () => toValue(list ? twin.split(/\s+/) : [twin])),
        { text: name, flag: false, offset: undefined },
      );
    }
  }
  return { value, locate };

  function locate(path: Path, atKey: boolean): Place {
    const origin = origins.findLast((candidate) => candidate.path.every((part, i) => path[i] === part));
    if (origin !== undefined) return origin.place;
    return { ...(document?.locate(path, atKey) ?? { text: "configuration", offset: 0 }), flag: false };
  }
}

function fromEnvironment(name: string, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PannierError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new PannierError(error.code, `${name}: ${error.message}`, { ...hint, exitCode: ExitCode.configuration });
  }
}

function setAt(top: Record<string, unknown>, path: readonly string[], part: unknown): void {
  let at = top;
  for (const key of path.slice(0, -1)) {
    if (!isObject(at[key])) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1)!] = part;
}

/** A key with nothing behind it, its lines commented out, means its default; inside `fields` a null is a value. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, child]) => child !== null);
  return Object.fromEntries(entries.map(([key, child]) => [key, key === "fields" ? child : withoutNulls(child)]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
