import type { FileRecord } from "../core/state.ts";
import { type Look, fileId } from "./open.ts";

/**
 * A file that is known and not open: fully committed, or left out. It is opened when it no longer looks like this. There may
 * be many thousands, so it keeps no `Look`, and shares the texts of its record.
 */
export class Dormant {
  record: FileRecord | undefined;
  /** Its bytes are the first ones of this content. */
  copyOf: FileRecord | undefined;
  path: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly isLinked: boolean;
  readonly #device: string;
  readonly #inode: string;
  readonly #birthtimeMs: number;

  constructor(record: FileRecord | undefined, look: Look, copyOf?: FileRecord) {
    this.record = record;
    this.copyOf = copyOf;
    this.path = record?.lastPath === look.path ? record.lastPath : look.path;
    this.size = look.size;
    this.mtimeMs = look.mtimeMs;
    this.isLinked = look.target !== undefined;
    this.#device = record?.device === look.device ? record.device : look.device;
    this.#inode = record?.inode === look.inode ? record.inode : look.inode;
    this.#birthtimeMs = look.birthtimeMs;
  }

  /** `Look.id`, made when asked for. */
  get id(): string {
    return fileId(this.#device, this.#inode, this.#birthtimeMs);
  }

  /** The content of which it holds the beginning is nowhere else any more. */
  inherit(record: FileRecord): void {
    this.record = record;
    this.copyOf = undefined;
  }

  is(look: Look): boolean {
    return this.#inode === look.inode && this.id === look.id;
  }

  /** Nothing has happened to it. */
  looksLike(look: Look): boolean {
    return look.size === this.size && look.mtimeMs === this.mtimeMs && look.birthtimeMs === this.#birthtimeMs;
  }
}
