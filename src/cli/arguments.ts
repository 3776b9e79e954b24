import { existsSync } from "node:fs";
import { parseArgs } from "../core/builtins.ts";
import { nearest } from "../config/nearest.ts";
import type { Flags } from "../config/layers.ts";
import type { Environment } from "../config/variables.ts";
import { describe, ExitCode, PannierError, systemCode } from "../core/errors.ts";
import { type Command, COMMANDS, LATER_COMMANDS } from "./help.ts";

/** What the command line asks for. */
export interface Arguments {
  readonly command: Command;
  /** The command was written, not assumed. */
  readonly named: boolean;
  readonly help: boolean;
  readonly version: boolean;
  readonly once: boolean;
  readonly dryRun: boolean;
  readonly seconds: number | undefined;
  readonly flags: Flags;
}

const OPTIONS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  config: { type: "string" },
  to: { type: "string", multiple: true },
  once: { type: "boolean" },
  stdin: { type: "boolean" },
  "state-dir": { type: "string" },
  admin: { type: "string" },
  health: { type: "string" },
  "memory-limit": { type: "string" },
  "drain-deadline": { type: "string" },
  "log-level": { type: "string" },
  "dry-run": { type: "boolean" },
  seconds: { type: "string" },
} as const;
type Option = keyof typeof OPTIONS;

const SETTINGS: readonly Option[] = ["state-dir", "admin", "health", "memory-limit", "drain-deadline", "log-level"];

/** Flags of each command. `check` takes those of `run`, so that a command line can be checked by changing one word. */
const ALLOWED: Readonly<Record<Command, readonly Option[]>> = {
  run: ["config", "to", "once", "stdin", ...SETTINGS],
  check: ["config", "to", "once", "stdin", ...SETTINGS],
  probe: ["config", "to", "log-level"],
  replay: ["config", "to", "dry-run", "state-dir", "log-level"],
  demo: ["seconds", "log-level"],
};
const TAKES_PATHS: readonly Command[] = ["run", "check"];

/** Reads the command line; throws PannierError with exit code 64 for what it cannot mean. */
export function parseArguments(argv: readonly string[], env: Environment): Arguments {
  const { values, positionals } = parse(argv);
  const help = values.help === true || positionals[0] === "help";
  const { command, named, paths } = chooseCommand(positionals[0] === "help" ? positionals.slice(1) : positionals, help);
  for (const option of Object.keys(values) as Option[]) {
    if (option !== "help" && option !== "version" && !ALLOWED[command].includes(option)) {
      throw usage(`--${option} is no flag of ${command}`, `Its flags: ${listFlags(ALLOWED[command])}`);
    }
  }
  if (paths.length > 0 && !TAKES_PATHS.includes(command) && !help)
    throw usage(`${command} takes no ${JSON.stringify(paths[0])}`);
  if (ALLOWED[command].includes("stdin") && isSet("stdin", values.stdin, env))
    throw usage("--stdin is not in this version of pannier yet");
  const { help: _, version = false, once, stdin: __, "dry-run": dryRun = false, seconds, ...flags } = values;
  return {
    command,
    named,
    help,
    version,
    once: ALLOWED[command].includes("once") && isSet("once", once, env),
    dryRun,
    seconds: seconds === undefined ? undefined : parseSeconds(seconds),
    flags: paths.length > 0 ? { ...flags, paths } : flags,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    const name = /'(--?[^'\s=]+)/.exec(describe(error))?.[1] ?? "";
    if (systemCode(error) === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
      const near = nearest(name, Object.keys(OPTIONS));
      throw usage(`unknown flag ${name}${near === undefined ? "" : `, did you mean --${near}?`}`);
    }
    throw usage(describe(error).split("\n")[0] ?? "");
  }
}

/** The first word is a command, or (when it looks like one) a path for `run`. */
function chooseCommand(
  words: readonly string[],
  help: boolean,
): { command: Command; named: boolean; paths: readonly string[] } {
  const [first, ...rest] = words;
  const known = COMMANDS.find((name) => name === first);
  if (known !== undefined) return { command: known, named: true, paths: rest };
  if (first === undefined || (/[/.*]/.test(first) && !help) || existsSync(first))
    return { command: "run", named: false, paths: words };
  const existing = `The commands are: ${COMMANDS.join(", ")}. A path needs a slash: ./${first}`;
  if (LATER_COMMANDS.includes(first))
    throw usage(`the command ${first} is not in this version of pannier yet`, existing);
  const near = nearest(first, COMMANDS);
  throw usage(
    `unknown command ${JSON.stringify(first)}${near === undefined ? "" : `, did you mean "${near}"?`}`,
    existing,
  );
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !(seconds > 0) || seconds > 86_400)
    throw usage(`--seconds: ${JSON.stringify(text)} is no number of seconds between 0 and 86400`);
  return seconds;
}

/** Whether a switch is on: by its flag, or by its twin, such as `PANNIER_ONCE=true`. */
function isSet(name: "once" | "stdin", given: boolean | undefined, env: Environment): boolean {
  const twin = `PANNIER_${name.toUpperCase()}`;
  const text = env[twin]?.trim().toLowerCase() ?? "";
  if (given !== undefined) return given;
  if (["", "0", "false", "no", "off"].includes(text)) return false;
  if (["1", "true", "yes", "on"].includes(text)) return true;
  throw new PannierError("config_value", `${twin}: ${JSON.stringify(text)}: expected true or false`, {
    exitCode: ExitCode.configuration,
  });
}

function listFlags(options: readonly Option[]): string {
  return options.flatMap((option) => (option === "stdin" ? [] : `--${option}`)).join(", ");
}

function usage(message: string, hint = "pannier --help lists commands and flags."): PannierError {
  return new PannierError("usage", message, { exitCode: ExitCode.usage, hint });
}
