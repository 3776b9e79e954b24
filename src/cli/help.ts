/** Commands of this version, in the order of the help. */
export const COMMANDS = ["run", "check", "probe", "replay", "demo"] as const;
export type Command = (typeof COMMANDS)[number];

/** Commands of the contract that are not in this version. */
export const LATER_COMMANDS: readonly string[] = ["try", "status", "doctor"];

const USAGE: Readonly<Record<Command, string>> = {
  run: "pannier run   [PATH…] [--to URL]… [--config FILE] [--once]",
  check: "pannier check [--config FILE]",
  probe: "pannier probe [--config FILE] [--to URL]…",
  replay: "pannier replay [--config FILE] [--dry-run]",
  demo: "pannier demo  [--seconds N]",
};

const SUMMARY: Readonly<Record<Command, string>> = {
  run: "follow and ship (the default command)",
  check: "validate; print the effective configuration (secrets masked) and the memory plan",
  probe: "one round trip to every sink: reachability, credentials, template, clock difference",
  replay: "send the dead letters again, with the same ids; those refused again stay",
  demo: "a sample application, the agent and a built-in receiver",
};

const CONFIG = "--config FILE            YAML or JSON; else /etc/pannier/pannier.yaml, if it exists";
const TO = "--to URL                 where to send; may be repeated; replaces all `sinks`";
const SETTINGS = [
  "--state-dir DIR          what must survive a restart; /var/lib/pannier",
  "--admin HOST:PORT|off    /status, /livez, /readyz; 127.0.0.1:9600",
  "--health HOST:PORT|off   /livez and /readyz alone; off",
  "--memory-limit SIZE      sum of all buffers; 32MiB",
  "--drain-deadline TIME    how long SIGTERM may wait for what is unsent; 8s",
  "--log-level LEVEL        debug, info, warn or error; info",
];
const URLS = `URL: elasticsearch+http(s)://[user:pass@]host[:port][/DATA-STREAM], loki+http(s)://[user:pass@]host[:port], or stdout:
     Options as query: bearer_file, password_file, ca_file; of Elasticsearch api_key_file, index (instead of a data stream);
     of Loki tenant, label.NAME=VALUE.`;

const DETAILS: Readonly<Record<Command, string>> = {
  run: `PATH: a file, a glob, or a directory (all **/*.log in it); replaces all \`inputs\`.
${URLS}

${flags([CONFIG, TO, "--once                   ship what is there to its end, then exit", ...SETTINGS])}

Every flag has an environment twin: PANNIER_CONFIG, PANNIER_TO, PANNIER_PATHS, PANNIER_ONCE, PANNIER_STATE_DIR, …
Flags win over the environment, and that over the file.`,
  check: `Takes the flags of run as well, so that any command line can be checked.

${flags([CONFIG, TO, ...SETTINGS])}`,
  probe: `${URLS}

${flags([CONFIG, TO, "--log-level LEVEL        debug, info, warn or error; info"])}`,
  replay: flags([
    CONFIG,
    TO,
    "--dry-run                only say what would be sent",
    "--state-dir DIR          where the dead letters are; /var/lib/pannier",
  ]),
  demo: flags(["--seconds N              end after N seconds; else with Ctrl-C"]),
};

const EXIT_CODES =
  "Exit codes: 0 fine, 64 usage, 69 a sink was not reached or refused, 70 internal error, 74 state directory unusable or locked,\n" +
  "75 drain deadline with bytes unsent, 78 configuration.";

function flags(lines: readonly string[]): string {
  return ["Flags:", ...lines.map((line) => `  ${line}`)].join("\n");
}

/** What `--help` prints, of one command or of all. */
export function help(command: Command | undefined): string {
  if (command !== undefined) {
    return `${USAGE[command].replaceAll(/ +/g, " ")}\n\n${SUMMARY[command]}\n\n${DETAILS[command]}\n`;
  }
  const width = Math.max(...COMMANDS.map((name) => USAGE[name].length));
  const lines = COMMANDS.map((name) => `  ${USAGE[name].padEnd(width)}   ${SUMMARY[name]}`);
  return `pannier ships log files: every line once, in a fixed amount of memory.\n\n${lines.join("\n")}\n\n${DETAILS.run}\n\n${EXIT_CODES}\n\npannier COMMAND --help says more. pannier --version prints the version.\n`;
}
