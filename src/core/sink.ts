import type { Batch } from "./batch.ts";
import type { Line, PlacementKind, RecordEncoder } from "./record.ts";

/** How a sink writes a record; the inner loop calls it for every event. */
export interface Wire {
  /** Most bytes of a record beside what a document of its line can take. */
  readonly overheadBytes: number;
  /** Its records hold their ids; else none is made. */
  readonly hasIds: boolean;
  /** Writes the record of a line at out[at] and returns the offset behind it. `id` is id[0, idBytes), ASCII. */
  write(line: Line, encoder: RecordEncoder, id: Buffer, idBytes: number, out: Buffer, at: number): number;
}

/** What stands around a document, in sinks whose records are documents. */
export interface Frame {
  /** Most bytes that `begin` and `end` add to one document. */
  readonly overheadBytes: number;
  /**
   * Writes what comes before the document at out[at] and returns the offset behind it. `id` is id[0, idBytes), ASCII; `path` is
   * that of the file.
   */
  begin(out: Buffer, at: number, id: Buffer, idBytes: number, path: string): number;
  /** Writes what comes after the document. */
  end(out: Buffer, at: number): number;
}

/** A wire of documents. */
export class DocumentWire implements Wire {
  readonly frame: Frame;
  readonly hasIds = true;
  readonly overheadBytes: number;

  constructor(frame: Frame) {
    this.frame = frame;
    this.overheadBytes = frame.overheadBytes;
  }

  write(line: Line, encoder: RecordEncoder, id: Buffer, idBytes: number, out: Buffer, at: number): number {
    return this.frame.end(out, encoder.encode(line, out, this.frame.begin(out, at, id, idBytes, line.path)));
  }
}

/** Gzips batches into memory of its own that is taken once. One per request in flight. */
export interface Compressor {
  /** The gzip member of source[from, to), valid until the next call; undefined when it is no smaller than its memory. */
  compress(source: Buffer, from: number, to: number): Promise<Buffer | undefined>;
  /** The same, for what is written in pieces: `begin`, any number of pieces, each of which is kept until it was added, and the last one. */
  begin(): void;
  add(piece: Buffer): Promise<void>;
  end(last: Buffer): Promise<Buffer | undefined>;
  close(): void;
}

/** The line behind a record, read again from its file. */
export interface Original {
  readonly path: string;
  readonly offset: number;
  /** Length of the event in the file, line end included. */
  readonly length: number;
  /** Bytes of it that are not in the document, because it was cut. */
  readonly cut: number;
  /** Bits of LineFlag. */
  readonly flags: number;
  /** Names the file for ever: its record's key. */
  readonly fileKey: string;
  /** Payload without the line end, cut to what was kept; undefined when the file no longer holds these bytes. */
  readonly bytes: Buffer | undefined;
}

/** A dead letter that is gone without having been delivered. */
export interface LostLetter {
  readonly fileKey: string;
  readonly offset: number;
  /** Bytes of the event that counted as dead-lettered. */
  readonly bytes: number;
}

/** What a pipeline offers to its sink, for the rare cases that need more than bytes. */
export interface RecordSource {
  /**
   * Bytes of the batch are about to leave, for the first time or again: resolves once the journal says that they may have been
   * sent, however long that takes. Before that, and where no connection stands, none may leave. Rejects at the stop.
   */
  leaving(batch: Batch): Promise<void>;
  /** Reads the event again. The buffer is valid until the next call. */
  original(batch: Batch, record: number): Original;
  /**
   * Writes record i again, framed, as plain text with the server's reason, and returns the offset behind it; the caller
   * guarantees `maxTextBytes(record)` bytes of room at `out[at]`.
   */
  encodeAsText(batch: Batch, record: number, reason: string, out: Buffer, at: number): number;
  maxTextBytes(batch: Batch, record: number): number;
  /** The `_id` that the record is sent under. */
  id(batch: Batch, record: number): string;
  /** Gives the record a salted id (`~1`, …), durably, and writes the record again at out[at] under it; for a conflict with another event. */
  salt(batch: Batch, record: number, out: Buffer, at: number): number;
  /** What was decided about this record. */
  placementOf(batch: Batch, record: number, what: PlacementKind): string | undefined;
  /** Journals a decision about this record alone, or about all of its file that is not committed. Throws when that cannot be journaled. */
  place(batch: Batch, record: number, what: PlacementKind, value: string, extent: "alone" | "uncommitted"): void;
  /** Dead letters are about to be dropped: their bytes are lost. Throws when that cannot be journaled; nothing has changed then. */
  lose(letters: readonly LostLetter[]): void;
  /** An unexpected conflict is a delivery: the state was lost or damaged, or the last run did not stop cleanly, and the file was there at the start. */
  toleratesConflict(batch: Batch, record: number): boolean;
}

export type SinkState = "ok" | "retrying" | "refusing" | "down";

/** What `/status` shows of a sink. */
export interface SinkStatus {
  readonly name: string;
  readonly type: string;
  readonly state: SinkState;
  /** RFC 3339: when the state began. */
  readonly since: string;
  readonly lastError: { readonly code: string; readonly message: string } | null;
  readonly deliveredLines: number;
  readonly deliveredBytes: number;
  readonly retries: number;
  readonly rejected: number;
  readonly unexpectedConflicts: number;
  readonly deadLetters: number;
}

/** A destination. Every folder under `sinks/` makes one. */
export interface Sink {
  readonly name: string;
  readonly type: string;
  readonly wire: Wire;
  /** Begins in the background what the destination needs (templates); trouble is reported and retried, never thrown. */
  start(): void;
  /**
   * Sends a sealed batch until every record has an outcome; resolves then. Retries for ever. Rejects only with
   * `DeliveryAborted`, after `stop` was called: what is still pending counts as not delivered.
   */
  deliver(batch: Batch): Promise<void>;
  status(): SinkStatus;
  /** Ends waits and requests; pending deliveries reject. Resolves when no timer, socket or descriptor is left. */
  stop(): Promise<void>;
}

export class DeliveryAborted extends Error {
  override readonly name = "DeliveryAborted";
}
