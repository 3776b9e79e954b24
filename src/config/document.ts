import { readFileSync, statSync } from "node:fs";
import { isMap, isNode, isSeq, LineCounter, parseDocument, type Node } from "yaml";
import { describe, ExitCode, PannierError, systemCode } from "../core/errors.ts";
import { CONFIG_FILE_MAX_BYTES } from "../core/limits.ts";
import type { Path } from "./problems.ts";

/** A configuration file: what it says, and where it says it. */
export interface ConfigDocument {
  readonly value: unknown;
  /** `pannier.yaml:3:7` of the value (or its key) at the path, or of the nearest thing around it. */
  locate(path: Path, atKey: boolean): string;
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
  if (document.errors.length > 0) {
    const messages = document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`);
    throw new PannierError("config_syntax", messages.join("\n"), {
      exitCode: ExitCode.configuration,
      hint: "The file is no valid YAML. Check the indentation, and quotes around values with a colon or a leading `*`, `&`, `@`, `%` or `!`.",
    });
  }
  const toValue = (): unknown => {
    try {
      return document.toJS();
    } catch (error) {
      throw new PannierError("config_syntax", `${at(0)}: ${describe(error)}`, { exitCode: ExitCode.configuration });
    }
  };
  return {
    value: toValue(),
    locate: (path, atKey) => at(offsetOf(document.contents, path, atKey)),
  };

  function offsetOf(top: Node | null, path: Path, atKey: boolean): number {
    let node: unknown = top;
    let offset = top?.range?.[0] ?? 0;
    for (const [depth, part] of path.entries()) {
      const resolved: unknown = isNode(node) && "source" in node && "resolve" in node ? resolve(node) : node;
      if (isMap(resolved)) {
        const pair = resolved.items.find((item) => isNode(item.key) && String(item.key) === String(part));
        if (pair === undefined) break;
        const wantsKey = (atKey && depth === path.length - 1) || !isNode(pair.value);
        offset = rangeStart(wantsKey ? pair.key : pair.value) ?? offset;
        node = pair.value;
      } else if (isSeq(resolved)) {
        node = resolved.items[Number(part)];
        offset = rangeStart(node) ?? offset;
      } else break;
    }
    return offset;
  }

  function resolve(node: Node): unknown {
    return (node as { resolve?: (from: typeof document) => unknown }).resolve?.(document);
  }
}

function rangeStart(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
