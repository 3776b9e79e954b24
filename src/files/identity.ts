import type { Place } from "../core/source.ts";
import type { FileRecord, StateStore } from "../core/state.ts";
import { knownPlaces, furthest, isJournaled } from "./evidence.ts";
import { fileKey, hashHead, headOf } from "./head.ts";
import type { Look } from "./open.ts";

/** What is asked of a file's bytes: the first ones, and whether those before remembered places are there; see provenBytes. */
export interface Bytes {
  readonly first: Buffer;
  proven(places: readonly Place[]): number;
}

export interface Identified {
  readonly record: FileRecord;
  /** The state had it. */
  readonly isKnown: boolean;
}

/**
 * Says which journaled record a file's content is, or makes a new one. A name or an inode alone prove nothing: paths are
 * renamed, inodes are used again, files are truncated. The head and the committed size decide; device, birth time and path
 * only choose among candidates. The tail check at each read has the last word.
 */
export class Identity {
  readonly #state: StateStore;
  /** Nearly always one; there may be many thousand inodes. */
  readonly #byInode = new Map<string, FileRecord | FileRecord[]>();
  /** Records of files that are open. */
  readonly #held = new Set<FileRecord>();
  /** Records whose content this process has seen to be gone for good. */
  readonly #dead = new WeakSet<FileRecord>();

  constructor(state: StateStore) {
    this.#state = state;
    for (const record of state.files.values()) this.#index(record);
  }

  /** Finds the record of a file with these bytes, or, unless `onlyKnown`, makes one; it is held then. */
  identify(look: Look, bytes: Bytes, onlyKnown: boolean): Identified | undefined {
    const known = this.#candidates(look).find((candidate) => isSameContent(candidate, look, bytes));
    if (known !== undefined) {
      this.hold(known);
      return { record: known, isKnown: true };
    }
    return onlyKnown ? undefined : { record: this.introduce(look, headOf(bytes.first, false)), isKnown: false };
  }

  /** A file with the content of this record is open. */
  hold(record: FileRecord): void {
    if (record.goneAtMs !== 0) this.#state.markGone(record, 0);
    this.#held.add(record);
  }

  /** A new record for unknown content; held, and durable where its generation is not 0. */
  introduce(look: Look, head: Buffer | undefined): FileRecord {
    const generation = head === undefined ? 0 : this.#freeGeneration(look.inode, head);
    const record = this.#state.addFile({
      device: look.device,
      inode: look.inode,
      birthtimeMs: look.birthtimeMs,
      path: look.path,
      seenMtimeMs: look.mtimeMs,
      generation,
    });
    this.#index(record);
    this.#held.add(record);
    return record;
  }

  /**
   * Gives a record its key. False when another content with the same head had this inode and generation before: the record
   * was made while the head was unknown, and a new one must take its place.
   */
  name(record: FileRecord, head: Buffer): boolean {
    const hash = hashHead(head);
    const taken = this.#namesakes(record.inode, hash, head.length).some((o) => o.generation === record.generation);
    if (taken) return false;
    const key = fileKey(this.#state.scope, record.inode, record.generation, head);
    this.#state.nameFile(record, hash, head.length, key);
    return true;
  }

  isHeld(record: FileRecord): boolean {
    return this.#held.has(record);
  }

  /**
   * Known contents that are in no open file and may be in this one: as the journal says, even if their own file has another
   * content since; or because they are wanted.
   */
  homeless(look: Look, isWanted: (record: FileRecord) => boolean): FileRecord[] {
    const records = [];
    for (const record of this.#state.files.values()) {
      if (this.#held.has(record)) continue;
      if (isJournaled(record, look) || (!this.#dead.has(record) && isWanted(record))) records.push(record);
    }
    return records;
  }

  /** The file was closed; it may come back. */
  release(record: FileRecord): void {
    this.#held.delete(record);
  }

  /** The content is gone for good: whatever has this inode next is something else. */
  retire(record: FileRecord): void {
    this.#held.delete(record);
    this.#dead.add(record);
  }

  knows(inode: string): boolean {
    return this.#byInode.has(inode);
  }

  /** Forgets what the state has forgotten. */
  prune(): void {
    for (const inode of this.#byInode.keys()) {
      const records = this.#recordsOf(inode);
      const kept = records.filter((record) => this.#held.has(record) || this.#state.files.has(record.uid));
      if (kept.length === 0) this.#byInode.delete(inode);
      else if (kept.length < records.length) this.#byInode.set(inode, kept);
    }
  }

  #recordsOf(inode: string): readonly FileRecord[] {
    const records = this.#byInode.get(inode) ?? [];
    return Array.isArray(records) ? records : [records];
  }

  #index(record: FileRecord): void {
    const records = this.#recordsOf(record.inode);
    this.#byInode.set(record.inode, records.length === 0 ? record : [...records, record]);
  }

  /** Of every device only the latest content can still be there; the file's own device comes first. */
  #candidates(look: Look): FileRecord[] {
    const latest = new Map<string, FileRecord>();
    for (const record of this.#recordsOf(look.inode)) {
      const other = latest.get(record.device);
      if (other === undefined || other.uid < record.uid) latest.set(record.device, record);
    }
    return [...latest.values()]
      .filter((record) => !this.#held.has(record) && !this.#dead.has(record))
      .toSorted((a, b) => Number(b.device === look.device) - Number(a.device === look.device) || b.uid - a.uid);
  }

  #namesakes(inode: string, headHash: string, headBytes: number): FileRecord[] {
    const records = this.#recordsOf(inode);
    return records.filter((o) => o.key !== "" && o.headHash === headHash && o.headBytes === headBytes);
  }

  #freeGeneration(inode: string, head: Buffer): number {
    const taken = this.#namesakes(inode, hashHead(head), head.length).map((record) => record.generation);
    return Math.max(-1, ...taken) + 1;
  }
}

function isSameContent(record: FileRecord, look: Look, bytes: Bytes): boolean {
  const committed = furthest(record);
  // Where no bytes can be compared, a file that has shrunk has another content.
  if (look.size < Math.max(record.headBytes, committed === 0 ? record.seenBytes : committed)) return false;
  const bornTogether = record.birthtimeMs > 0 && record.birthtimeMs === look.birthtimeMs;
  if (look.birthtimeIsReal && record.birthtimeMs > 0 && !bornTogether) return false;
  const samePlace = record.lastPath === look.path || record.path === look.path || bornTogether;
  // Nothing was ever sent of a file without a key: it is enough that it is probably the same one.
  if (record.key === "") return samePlace;
  if (record.device !== look.device && !samePlace) return false;
  return hasHead(record, bytes.first) && bytes.proven(knownPlaces(record)) >= 0;
}

/** Whether a file that begins with `first` begins with the head of a record. */
function hasHead(record: FileRecord, first: Buffer): boolean {
  return first.length >= record.headBytes && hashHead(first.subarray(0, record.headBytes)) === record.headHash;
}
