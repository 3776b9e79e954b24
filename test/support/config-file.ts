/** A configuration file that a test changes while the agent runs. */
import { renameSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";

export type Settings = Readonly<Record<string, unknown>>;

/** The settings of one Elasticsearch sink. */
export function sinkTo(url: string, more: Settings = {}): Settings {
  return { type: "elasticsearch", urls: [url], manage_template: false, batch: { max_age: "100ms" }, ...more };
}

export class ConfigFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Writes it in place. */
  write(settings: Settings | string): void {
    writeFileSync(this.path, typeof settings === "string" ? settings : stringify(settings));
  }

  /** Writes it as editors do: beside, and renamed over it. */
  replace(settings: Settings): void {
    writeFileSync(`${this.path}.new`, stringify(settings));
    renameSync(`${this.path}.new`, this.path);
  }
}
