import type { SplunkConfig } from "../../core/config.ts";
import type { Line, RecordEncoder } from "../../core/record.ts";
import { DocumentWire, type Frame } from "../../core/sink.ts";
import { SPLUNK_NAME_MAX_CHARS, SPLUNK_SOURCE_MAX_BYTES } from "../../core/splunk-limits.ts";
import { copySpan, WIDTH, Window } from "../../core/window.ts";
import { EPOCH_BYTES, writeEpoch } from "./epoch.ts";

const TIME = '{"time":';
const ID_FIELD = ',"fields":{"pannier_id":"';
const ID_END = '"}';
const EVENT = ',"event":';
const END = Buffer.from("}\n");
/** Ids are 22 characters and a salt. */
const ID_MAX_BYTES = 64;
/** What every document begins with; its time stands behind it. */
const DOCUMENT_START = '{"@timestamp":"';
/** A character becomes six bytes at most, `\u0000`. */
const NAME_MAX_BYTES = SPLUNK_NAME_MAX_CHARS * 6;

/** Most bytes around a document. */
export const SPLUNK_OVERHEAD_BYTES: number =
  256 + EPOCH_BYTES + ID_MAX_BYTES + 3 * NAME_MAX_BYTES + SPLUNK_SOURCE_MAX_BYTES + WIDTH;

export type WireSettings = Pick<SplunkConfig, "index" | "sourcetype" | "source" | "eventId"> & {
  readonly host: string;
};

/**
 * `/services/collector/event`: one object per event, with what Splunk wants to know of it before it.
 *
 *   {"time":1767323045.678,"host":…,"source":…,"sourcetype":…,"index":…,"fields":{"pannier_id":"…"},"event":{…}}
 *
 * The time is read off the document that has just been written, so blanks are left for it.
 */
export class SplunkWire extends DocumentWire {
  constructor(settings: WireSettings) {
    super(new SplunkFrame(settings));
  }

  override write(line: Line, encoder: RecordEncoder, id: Buffer, idBytes: number, out: Buffer, at: number): number {
    const start = this.frame.begin(out, at, id, idBytes, line.path);
    const end = encoder.encode(line, out, start);
    writeEpoch(out, start + DOCUMENT_START.length, out, at + TIME.length);
    return this.frame.end(out, end);
  }
}

class SplunkFrame implements Frame {
  readonly overheadBytes = SPLUNK_OVERHEAD_BYTES;
  readonly #settings: WireSettings;
  readonly #out = new Window();
  readonly #afterId: Window;
  readonly #afterIdBytes: number;
  #path: string | undefined;
  /** Everything up to the id, for events of that path. */
  #head = new Window();
  #headBytes = 0;

  constructor(settings: WireSettings) {
    this.#settings = settings;
    const afterId = settings.eventId ? ID_END + EVENT : EVENT;
    this.#afterId = windowOf(afterId);
    this.#afterIdBytes = afterId.length;
  }

  begin(out: Buffer, at: number, id: Buffer, idBytes: number, path: string): number {
    if (path !== this.#path) this.#setPath(path);
    this.#out.set(out);
    let end = copySpan(this.#head, 0, this.#headBytes, this.#out, at);
    if (this.#settings.eventId) for (let i = 0; i < idBytes; i++) out[end++] = id[i];
    end = copySpan(this.#afterId, 0, this.#afterIdBytes, this.#out, end);
    return end;
  }

  end(out: Buffer, at: number): number {
    out[at] = END[0];
    out[at + 1] = END[1];
    return at + END.length;
  }

  #setPath(path: string): void {
    const { host, source, sourcetype, index, eventId } = this.#settings;
    const names = { host, source: source ?? shortened(path), sourcetype, ...(index === undefined ? {} : { index }) };
    const head = `${TIME}${" ".repeat(EPOCH_BYTES)},${JSON.stringify(names).slice(1, -1)}${eventId ? ID_FIELD : ""}`;
    this.#head = windowOf(head);
    this.#headBytes = Buffer.byteLength(head);
    this.#path = path;
  }
}

/** A path that fits, escaped. */
function shortened(path: string): string {
  let text = path.toWellFormed();
  while (Buffer.byteLength(JSON.stringify(text)) > SPLUNK_SOURCE_MAX_BYTES)
    text = text.slice(0, text.length >> 1).toWellFormed();
  return text;
}

/** Copies may read a few bytes beyond what they copy. */
function windowOf(text: string): Window {
  return new Window(Buffer.concat([Buffer.from(text), Buffer.alloc(WIDTH)]));
}
