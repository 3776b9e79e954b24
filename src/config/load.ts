import { existsSync } from "node:fs";
import type { Config, MemoryPlan } from "../core/config.ts";
import { ExitCode, PannierError } from "../core/errors.ts";
import { formatSize } from "../core/units.ts";
import { carriesPassword } from "./destination.ts";
import { type ConfigDocument, readDocument } from "./document.ts";
import { draft } from "./effective.ts";
import { ENVIRONMENT_NAMES, type Flags, merge } from "./layers.ts";
import { nearest } from "./nearest.ts";
import { type Estimates, planMemory } from "./plan.ts";
import { configError, type Problem } from "./problems.ts";
import { validate } from "./validate.ts";
import { type Environment, replaceVariables } from "./variables.ts";

/** Where the configuration is when nobody says. */
const DEFAULT_CONFIG_FILE = "/etc/pannier/pannier.yaml";

export interface LoadOptions {
  readonly flags: Flags;
  readonly env: Environment;
  readonly estimates: Estimates;
  /** Whether the command needs something to follow: `probe` and `replay` do not. */
  readonly needsInputs: boolean;
  readonly defaultFile?: string;
  /** The configuration of the process that this one is to replace: what cannot change while it runs must not differ. */
  readonly running?: Config | undefined;
}

export interface Loaded {
  readonly config: Config;
  readonly plan: MemoryPlan;
  /** A secret stands where others can read it, and how to avoid that. */
  readonly exposed?: string;
  /** For the operator, a line each. */
  readonly warnings: readonly string[];
  /** The file that was read. */
  readonly file: string | undefined;
  /** All files that it was made from, those of `${file:…}` included. */
  readonly sources: readonly string[];
}

/** Reads the file, lays environment and flags over it, checks all of it and plans the memory. Throws PannierError, with every problem in it. */
export function loadConfig(options: LoadOptions): Loaded {
  const { flags, env, estimates } = options;
  const { document, file } = openDocument(flags, env, options.defaultFile ?? DEFAULT_CONFIG_FILE);
  const { value, locate } = merge(document, env, flags);
  const replaced = replaceVariables(value, env);
  if (replaced.problems.length > 0) throw configError(replaced.problems, locate);
  const validated = validate(replaced.value);
  if ("problems" in validated) throw configError(validated.problems, locate);
  const drafted = draft(validated.config, replaced);
  if (drafted.problems.length > 0) throw configError(drafted.problems, locate);
  const fixed = options.running === undefined ? [] : fixedProblems(options.running, drafted.config);
  if (fixed.length > 0) throw configError(fixed, locate);
  requireEnds(drafted.config, options, file);
  const planned = planMemory(drafted.config, drafted.explicit, estimates);
  if ("problem" in planned) throw configError([planned.problem], locate);
  const { config, plan } = planned;
  const warnings = [...environmentWarnings(env), ...tlsWarnings(config)];
  if (planned.raisedLimit) {
    warnings.push(
      `memory.limit is not set, and these sinks need ${formatSize(plan.plannedBytes)}: that is the limit now. Set memory.limit to choose it.`,
    );
  }
  return {
    config,
    plan,
    ...passwordWarning(flags),
    warnings,
    file,
    sources: [...(file === undefined ? [] : [file]), ...replaced.files],
  };
}

/** The lock, the journal and all that is under way belong to the state directory. */
function fixedProblems(running: Config, next: Config): Problem[] {
  if (next.stateDir === running.stateDir) return [];
  return [
    {
      code: "config_needs_restart",
      path: ["state_dir"],
      message: `it is ${running.stateDir} and cannot become ${next.stateDir} while pannier runs`,
      hint: "Stop pannier, move the directory's contents, and start it again.",
    },
  ];
}

function openDocument(
  flags: Flags,
  env: Environment,
  defaultFile: string,
): { document: ConfigDocument | undefined; file: string | undefined } {
  const named = flags.config ?? (env["PANNIER_CONFIG"]?.trim() || undefined);
  const file = named ?? (existsSync(defaultFile) ? defaultFile : undefined);
  if (file === undefined) return { document: undefined, file };
  const document = readDocument(file);
  if (document === undefined) {
    throw new PannierError("config_unreadable", `${file}: there is no such file`, {
      exitCode: ExitCode.configuration,
      hint: `It was named by ${flags.config === undefined ? "PANNIER_CONFIG" : "--config"}.`,
    });
  }
  return { document, file };
}

/** Nothing to follow, or nowhere to send it: the command line is incomplete. */
function requireEnds(config: Config, { needsInputs }: LoadOptions, file: string | undefined): void {
  const read =
    file === undefined
      ? `No configuration file was read (${DEFAULT_CONFIG_FILE} does not exist).`
      : `${file} was read.`;
  if (needsInputs && config.inputs.length === 0) {
    throw new PannierError("usage_no_input", "nothing to follow: no PATH, and no `inputs` in the configuration", {
      exitCode: ExitCode.usage,
      hint: `Name files or directories, such as: pannier run /logs --to stdout:\n${read}`,
    });
  }
  if (config.sinks.length === 0) {
    throw new PannierError("usage_no_sink", "nowhere to send to: no --to, and no `sinks` in the configuration", {
      exitCode: ExitCode.usage,
      hint: `Name a destination, such as: --to elasticsearch+http://elasticsearch:9200\n${read}`,
    });
  }
}

/** A process cannot take back what its command line shows, so whoever started it has to do something else. */
function passwordWarning({ to = [] }: Flags): { exposed?: string } {
  if (!to.some(carriesPassword)) return {};
  return {
    exposed:
      "a password on the command line can be seen by everyone on this machine as long as pannier runs (ps, /proc/PID/cmdline), and pannier cannot hide it: put it into a file and name that with ?password_file=PATH, or pass the URL in PANNIER_TO",
  };
}

/** A twin with a typo would be ignored without a word. */
function environmentWarnings(env: Environment): string[] {
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith("PANNIER_") || ENVIRONMENT_NAMES.includes(name)) return [];
    const rest = (full: string): string => full.slice("PANNIER_".length);
    const near = nearest(rest(name), ENVIRONMENT_NAMES.map(rest));
    return near === undefined
      ? []
      : [`the environment variable ${name} means nothing here, did you mean PANNIER_${near}?`];
  });
}

function tlsWarnings(config: Config): string[] {
  return config.sinks.flatMap((sink) =>
    sink.type !== "stdout" && Object.keys(sink.tls).length > 0 && !sink.urls.some((url) => url.startsWith("https:"))
      ? [`sink ${sink.name}: \`tls\` is set, and none of its URLs is https`]
      : [],
  );
}
