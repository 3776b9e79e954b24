import { isUtf8 } from "node:buffer";
import type { FileHandle } from "node:fs/promises";
import { CHUNK_BYTES } from "../core/limits.ts";

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
}

/** The line of the file (contract §5), newline included. */
export function formatLetter(letter: Letter, sink: string): string {
  const { time, id, status, reason, file, offset, length, line } = letter;
  const text = isUtf8(line) ? { line: line.toString() } : { line_base64: line.toString("base64") };
  return `${JSON.stringify({ "@timestamp": time, id, sink, status, reason, file, offset, length, ...text })}\n`;
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
  };
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
