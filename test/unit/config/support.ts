import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll } from "vitest";
import { loadConfig, type Loaded, type LoadOptions } from "../../../src/config/load.ts";
import type { Estimates } from "../../../src/config/plan.ts";
import { PannierError } from "../../../src/core/errors.ts";

/** Round numbers, so that a test can add them up. */
export const ESTIMATES: Estimates = {
  recordBytes: (input) => 6 * input.maxLineBytes + 4096,
  sinkPools: (sink) => (sink.type === "stdout" ? [] : [{ name: "compression", bytes: 1024 * 1024 }]),
  sharedPools: () => [{ name: "journal buffer", bytes: 64 * 1024 }],
};

export const directory: string = mkdtempSync(path.join(tmpdir(), "pannier-config-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Writes a file into a directory of this process and returns its path. */
export function file(name: string, text: string): string {
  const full = path.join(directory, name);
  writeFileSync(full, text);
  return full;
}

/** Loads a configuration from text, as `pannier.yaml`. */
export function load(yaml: string | undefined, options: Partial<LoadOptions> = {}): Loaded {
  const flags = yaml === undefined ? {} : { config: file("pannier.yaml", yaml) };
  return loadConfig({
    env: {},
    estimates: ESTIMATES,
    needsInputs: true,
    defaultFile: path.join(directory, "none.yaml"),
    ...options,
    flags: { ...flags, ...options.flags },
  });
}

/** The error of a configuration that must be refused, with the directory cut from its message. */
export function refusal(yaml: string | undefined, options: Partial<LoadOptions> = {}): PannierError {
  try {
    load(yaml, options);
  } catch (error) {
    if (!(error instanceof PannierError)) throw error;
    const { code, hint, exitCode } = error;
    return new PannierError(code, error.message.replaceAll(`${directory}/`, ""), {
      exitCode,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  throw new Error("the configuration was accepted");
}

/** A valid file with one more piece at the top. */
export function withTop(yaml: string): string {
  return `inputs: [{ paths: [/logs] }]\nsinks: [{ type: stdout }]\n${yaml}`;
}

/** A valid file with one Elasticsearch sink that has these lines. */
export function withSink(...lines: string[]): string {
  const sink = [
    "type: elasticsearch",
    ...(lines.some((line) => line.startsWith("urls")) ? [] : ["urls: [http://es:9200]"]),
    ...lines,
  ];
  return `inputs: [{ paths: [/logs] }]\nsinks:\n  - ${sink.join("\n    ")}\n`;
}
