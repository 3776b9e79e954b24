import { readFileSync, statSync } from "node:fs";
import { type Document, isAlias, isMap, isNode, isSeq, LineCounter, parseDocument } from "yaml";
import { describe, ExitCode, PannierError, systemCode } from "../core/errors.ts";
import { CONFIG_FILE_MAX_BYTES } from "../core/limits.ts";
import type { Path } from "./problems.ts";

/** A configuration file: what it says, and where it says it. */
export interface ConfigDocument {
  readonly value: unknown;
  /** `pannier.yaml:3:7` and the offset of the value (or its key) at the path, or of the nearest thing around it. */
  locate(path: Path, atKey: boolean): { readonly text: string; readonly offset: number };
}

/** Reads a YAML or JSON file; undefined when there is none. */
export function readDocument(file: string): ConfigDocument | undefined {
  try {
    const stat = statSync(file);
    if (!stat.isFile() || stat.size > CONFIG_FILE_MAX_BYTES)
      throw unreadable(file, stat.isDirectory() ? "is a directory" : "is no file of a sensible size");
    return parse(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error instanceof PannierError ? error : unreadable(file, describe(error), error);
  }
}

function unreadable(file: string, why: string, cause?: unknown): PannierError {
  return new PannierError("config_unreadable", `${file}: cannot read the configuration: ${why}`, {
    exitCode: ExitCode.configuration,
    cause,
  });
}

/** Parses YAML 1.2, of which JSON is a part. `file` is only for messages. */
export function parse(text: string, file: string): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  // A warning is a tag that means nothing here, so that its value would not be what the user meant. What follows the first
  // few errors is mostly their consequence.
  const errors = [...document.errors, ...document.warnings].slice(0, 3);
  if (errors.length > 0) {
    throw new PannierError("config_syntax", errors.map((error) => `${at(error.pos[0])}: ${error.message}`).join("\n"), {
      exitCode: ExitCode.configuration,
      hint: "The file is no valid YAML. Check the indentation, and quotes around values with a colon or a leading `*`, `&`, `@`, `%` or `!`, and around ${…} between [ ] or { }.",
    });
  }
  return {
    value: toValue(document, at(0)),
    locate(path, atKey) {
      const offset = offsetOf(document, path, atKey);
      return { text: at(offset), offset };
    },
  };
}

function toValue(document: Document.Parsed, start: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new PannierError("config_syntax", `${start}: ${describe(error)}`, { exitCode: ExitCode.configuration });
  }
}

/** Where the node at the path begins; of a path that leads nowhere, the last node on the way. */
function offsetOf(document: Document.Parsed, path: Path, atKey: boolean): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => String(item.key) === String(part));
      if (pair === undefined) break;
      const key = startOf(pair.key) ?? offset;
      offset = atKey && depth === path.length - 1 ? key : (startOf(pair.value) ?? key);
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
