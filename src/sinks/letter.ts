import { isUtf8 } from "node:buffer";
import type { FileHandle } from "node:fs/promises";
import { CHUNK_BYTES } from "../core/limits.ts";
import { LineFlag } from "../core/record.ts";

/** A record that the sink refused in both forms. */
export interface Letter {
  /** The record's own `@timestamp`. */
  readonly time: string;
  /** The `_id` that was sent. */
  readonly id: string;
  readonly status: number;
  readonly reason: string;
  readonly file: string;
  readonly offset: number;
  /** Of the event in the file, line end included. */
  readonly length: number;
  readonly line: Buffer;
  /** Names the file for ever; "" in a letter that does not say. */
  readonly fileKey: string;
  /** `log.flags` of the record: why its event is not simply one whole line. Bits of LineFlag. */
  readonly flags: number;
  /** Bytes of the event that were cut off. */
  readonly cut: number;
}

/** Names of the LineFlag bits, as in `log.flags`. */
const FLAGS = Object.entries(LineFlag);

/** The line of the file (contract §5), newline included. */
export function formatLetter(letter: Letter, sink: string): string {
  const { time, id, status, reason, file, offset, length, line, fileKey, flags, cut } = letter;
  const text = isUtf8(line) ? { line: line.toString() } : { line_base64: line.toString("base64") };
  const more = {
    file_key: fileKey,
    ...(flags === 0 ? {} : { flags: FLAGS.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name) }),
    ...(cut === 0 ? {} : { cut }),
  };
  return `${JSON.stringify({ "@timestamp": time, id, sink, status, reason, file, offset, length, ...text, ...more })}\n`;
}

/** A letter from its line; undefined when it is none. */
export function parseLetter(text: string): Letter | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const of = value as Readonly<Record<string, unknown>>;
  if (typeof of["id"] !== "string" || typeof of["file"] !== "string") return undefined;
  const line =
    typeof of["line"] === "string" ? Buffer.from(of["line"]) : Buffer.from(asText(of["line_base64"]), "base64");
  return {
    time: asText(of["@timestamp"]),
    id: of["id"],
    status: asNumber(of["status"]),
    reason: asText(of["reason"]),
    file: of["file"],
    offset: asNumber(of["offset"]),
    length: asNumber(of["length"]),
    line,
    fileKey: asText(of["file_key"]),
    flags: asFlags(of["flags"]),
    cut: asNumber(of["cut"]),
  };
}

function asFlags(names: unknown): number {
  if (!Array.isArray(names)) return 0;
  return FLAGS.reduce((flags, [name, bit]) => (names.includes(name) ? flags | bit : flags), 0);
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function asNumber(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** The lines of a file from one offset to another, without their ends; an unfinished last line is left out. */
export async function* linesOf(
  file: FileHandle,
  from: number,
  to: number,
): AsyncGenerator<{ text: string; end: number }> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const parts: Buffer[] = [];
  for (let at = from; at < to;) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, to - at), at);
    if (bytesRead === 0) return;
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0 && end < bytesRead; end = chunk.indexOf(0x0a, start)) {
      parts.push(chunk.subarray(start, end));
      yield { text: Buffer.concat(parts).toString(), end: at + end + 1 };
      parts.length = 0;
      start = end + 1;
    }
    parts.push(Buffer.from(chunk.subarray(start, bytesRead)));
    at += bytesRead;
  }
}
