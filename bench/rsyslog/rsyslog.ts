import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Debian's packages rsyslog and rsyslog-elasticsearch. */
export const RSYSLOGD = "/usr/sbin/rsyslogd";
const MODULE_DIRECTORY = "/usr/lib/x86_64-linux-gnu/rsyslog";

export function rsyslogIsThere(): boolean {
  return existsSync(RSYSLOGD) && existsSync(join(MODULE_DIRECTORY, "omelasticsearch.so"));
}

/** The command that ships the file to the receiver, with its state in `directory`. */
export function rsyslogCommand(directory: string, file: string, port: number): string[] {
  const template = readFileSync(new URL("rsyslog.conf.template", import.meta.url), "utf8");
  const configuration = join(directory, "rsyslog.conf");
  writeFileSync(
    configuration,
    template.replaceAll("@DIR@", directory).replaceAll("@FILE@", file).replaceAll("@PORT@", String(port)),
  );
  return [RSYSLOGD, "-n", "-f", configuration, "-i", join(directory, "rsyslogd.pid")];
}
