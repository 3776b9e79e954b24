import { REASON_MAX_CHARS } from "../../core/limits.ts";

/** Collects a small body up to a limit; what lies beyond is dropped. */
export class ErrorBody {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  write(chunk: Buffer): void {
    const taken = Math.min(chunk.length, this.#maxBytes - this.#bytes);
    // A copy, since the piece is a view of a larger buffer that would be held with it.
    if (taken > 0) this.#chunks.push(Buffer.from(chunk.subarray(0, taken)));
    this.#bytes += taken;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  /** The body as JSON; undefined when it is none. */
  json(): unknown {
    try {
      return JSON.parse(this.text);
    } catch {
      return undefined;
    }
  }

  /** Type and reason of an error, also out of a body that was cut. A body that is not from the server has no type. */
  error(): { readonly type: string | undefined; readonly reason: string } {
    const text = this.text;
    const [, inner = ""] = /"error"\s*:\s*([^]*)/.exec(text) ?? [];
    const type = /"type"\s*:\s*"([^"]+)"/.exec(inner)?.[1];
    const reason = /"reason"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(inner)?.[1];
    if (reason === undefined) return { type, reason: text.replaceAll(/\s+/g, " ").trim().slice(0, REASON_MAX_CHARS) };
    return { type, reason: unescape(reason).slice(0, REASON_MAX_CHARS) };
  }
}

function unescape(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}
