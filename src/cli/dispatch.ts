import type { Environment } from "../config/variables.ts";
import type { ExitCode } from "../core/errors.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { type Command, help } from "./help.ts";
import { exitCodeOf, fatalText } from "./report.ts";
import { packageVersion } from "./version.ts";

/** After the last word of a command, this long is waited for what should have been closed. */
const EXIT_AFTER_MS = 1_000;

/** Does what the command line says and sets the exit code. */
export async function main(argv: readonly string[], env: Environment): Promise<void> {
  // `pannier check | head` closes our output early: that is no error.
  process.stdout.on("error", () => process.exit());
  const debug = wantsDebug(argv, env);
  const fail = (error: unknown): void => {
    process.stderr.write(fatalText(error, debug));
    process.exit(exitCodeOf(error));
  };
  process.on("uncaughtException", fail);
  try {
    process.exitCode = await perform(parseArguments(argv, env), env);
  } catch (error) {
    process.stderr.write(fatalText(error, debug));
    process.exitCode = exitCodeOf(error);
  }
  setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
}

/** Each command is loaded only when it is asked for, so that `--help` is immediate. */
const PERFORM: Readonly<Record<Command, (args: Arguments, env: Environment) => Promise<ExitCode>>> = {
  run: async (args, env) => (await import("./commands/run.ts")).run(args, env),
  check: async (args, env) => (await import("./commands/check.ts")).check(args, env),
  probe: async (args, env) => (await import("./commands/probe.ts")).probe(args, env),
  replay: async (args, env) => (await import("./commands/replay.ts")).replay(args, env),
  demo: async (args) => (await import("./commands/demo.ts")).demo(args),
};

async function perform(args: Arguments, env: Environment): Promise<ExitCode> {
  if (args.help) return print(help(args.named ? args.command : undefined));
  if (args.version) return print(`${packageVersion()}\n`);
  return PERFORM[args.command](args, env);
}

function print(text: string): ExitCode {
  process.stdout.write(text);
  return 0;
}

function wantsDebug(argv: readonly string[], env: Environment): boolean {
  const flag = argv.indexOf("--log-level");
  const level = argv.includes("--log-level=debug") ? "debug" : flag >= 0 ? argv[flag + 1] : env["PANNIER_LOG_LEVEL"];
  return level === "debug";
}
