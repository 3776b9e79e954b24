import { readSync } from "node:fs";
import { TAIL_BYTES } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { describe, systemCode } from "../core/errors.ts";
import type { SourceFile } from "../core/source.ts";

/**
 * The memory that all files are read into. The first bytes are room for the tail; what is read lies at an index that is
 * congruent to its file offset (mod 4), so that a hash over words sees the same words whatever the chunk began with.
 */
export class ReadBuffer {
  bytes: Buffer = Buffer.alloc(0);
  /** The same memory as words. */
  words: Int32Array = new Int32Array(0);
  readonly log: Log | undefined;

  /** `sizeBytes`: tail, largest line and READ_SLACK_BYTES, as planned. With `log`, failed reads are reported. */
  constructor(sizeBytes: number, log?: Log) {
    this.log = log;
    this.resize(sizeBytes);
  }

  /** So many bytes can be read at once, from any offset. */
  holds(bytes: number): boolean {
    return bytes <= this.bytes.length - TAIL_BYTES - 4;
  }

  /** Takes other memory, between two turns. */
  resize(sizeBytes: number): void {
    const memoryBytes = Math.ceil(sizeBytes / 4) * 4;
    if (this.bytes.length === memoryBytes) return;
    const memory = new ArrayBuffer(memoryBytes);
    this.bytes = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }
}

/**
 * `ok`: bytes[start, end) of the buffer are the file's bytes from the asked offset (none at its end). `changed`: the bytes
 * before the offset are not those that were remembered, or the file is shorter than it was, so this is other content.
 * `failed`: the read failed.
 */
export interface Chunk {
  status: "ok" | "changed" | "failed";
  start: number;
  end: number;
}

const chunk: Chunk = { status: "ok", start: 0, end: 0 };

/**
 * Reads up to `maxBytes` at `offset` with one `pread` that begins up to TAIL_BYTES earlier, and compares what stands there
 * with the last bytes of tail[0, tailBytes). Check and use are one call, so no writer can come between. The answer is one
 * object for all calls.
 */
export function readAt(
  file: SourceFile,
  offset: number,
  maxBytes: number,
  tail: Buffer,
  tailBytes: number,
  into: ReadBuffer,
): Chunk {
  const { bytes } = into;
  const before = Math.min(TAIL_BYTES, offset, tailBytes);
  const start = TAIL_BYTES + (offset % 4);
  const wanted = Math.min(maxBytes, bytes.length - start);
  chunk.start = start;
  chunk.end = start;
  let count: number;
  try {
    count = readSync(file.fd, bytes, start - before, before + wanted, offset - before);
  } catch (error) {
    chunk.status = "failed";
    into.log?.warn("file_read_failed", `${file.path} could not be read: ${describe(error)}; it is tried again`, {
      file: file.path,
      error: systemCode(error),
    });
    return chunk;
  }
  // Fewer bytes than were seen to be there: the file was truncated since, and what stands there now may be new content, which
  // must not be read under the old name.
  const isShorter = count < before + Math.max(0, Math.min(wanted, file.size - offset));
  if (isShorter || (before > 0 && bytes.compare(tail, tailBytes - before, tailBytes, start - before, start) !== 0)) {
    chunk.status = "changed";
    return chunk;
  }
  chunk.status = "ok";
  chunk.end = start - before + count;
  if (count > before) file.readTo = Math.max(file.readTo, offset - before + count);
  return chunk;
}
