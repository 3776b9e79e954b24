/**
 * What pannier owes, as simply as it can be said: every line that was written arrives exactly once, unless the application
 * destroyed it before pannier was known to have it. Files, offsets, batches and journals do not occur here.
 */

export const HEADER = "# log opened";

export interface OwedLine {
  /** -1: a header, which many files share. */
  readonly n: number;
  /** What of it is written, without the line end. */
  text: string;
  /** It has to arrive; else it may, once. */
  must: boolean;
  /** It stood without its end when a drain or a rotation came: it may arrive in pieces, marked as such. */
  mayBeInPieces: boolean;
}

/** What one file holds since it was made or truncated. */
export interface Content {
  /** Undefined: no watched name is left. */
  path: string | undefined;
  /** Of the application, which goes on writing where a file was renamed or unlinked. */
  readonly fd: number;
  /** Lines that may not be committed yet. */
  pending: OwedLine[];
  /** The last line has no end yet. */
  begun: OwedLine | undefined;
  /** The pannier that runs is known to have it open. */
  isHeld: boolean;
  /** It has a line that no other file has. */
  hasOwnLine: boolean;
  /** It may begin with the very bytes of what was truncated, unnoticed. */
  readonly resembles: boolean;
}

export class Model {
  isRunning = false;
  readonly lines: OwedLine[] = [];
  readonly headers: OwedLine[] = [];
  readonly contents: Map<string, Content> = new Map();
  /** Held by pannier alone. */
  readonly nameless: Set<Content> = new Set();

  create(path: string, fd: number, resembles = false): Content {
    const content = { path, fd, pending: [], begun: undefined, isHeld: false, hasOwnLine: false, resembles };
    this.contents.set(path, content);
    return content;
  }

  /** A line, or the beginning of one, is about to be written; `text` says what line `n` is to be. */
  write(content: Content, text: (n: number) => string, isWhole: boolean, must = true): OwedLine {
    const n = this.lines.length;
    const line = { n, text: text(n), must, mayBeInPieces: false };
    this.lines.push(line);
    content.pending.push(line);
    const isFirst = must && !content.hasOwnLine && !content.resembles;
    for (const each of content.pending) if (isFirst && each.n < 0) each.must = true;
    content.hasOwnLine = true;
    if (!isWhole) content.begun = line;
    return line;
  }

  /** More of the line that was begun is about to be written. */
  goOn(content: Content, text: string): void {
    const line = content.begun!;
    line.text += text;
    if (!content.pending.includes(line)) content.pending.push(line);
  }

  /**
   * The first line that many files have alike. A file that holds nothing else cannot be told from a copy of another, nor from
   * what was truncated before it when that began alike.
   */
  writeHeader(content: Content): void {
    const header = { n: -1, text: HEADER, must: content.hasOwnLine, mayBeInPieces: false };
    this.headers.push(header);
    content.pending.push(header);
  }

  rename(from: string, to: string): void {
    const content = this.contents.get(from)!;
    this.contents.delete(from);
    if (content.begun !== undefined) content.begun.mayBeInPieces = true;
    content.path = to;
    this.contents.set(to, content);
  }

  /** Its last watched name is gone: a pannier that has it open reads on, one that has not never will. */
  unlink(path: string): Content {
    const content = this.contents.get(path)!;
    this.contents.delete(path);
    content.path = undefined;
    if (content.begun !== undefined) content.begun.mayBeInPieces = true;
    if (this.isRunning && content.isHeld) this.nameless.add(content);
    else forgive(content);
    return content;
  }

  /** All bytes are gone, and what is written next is other content of the same file. */
  truncate(path: string): Content {
    const before = this.contents.get(path)!;
    forgive(before);
    if (before.begun !== undefined) before.begun.mayBeInPieces = true;
    return this.empty(path, before);
  }

  /** The same after a copy was made, which now stands for what was there. */
  copyTruncate(path: string, copyPath: string, copyFd: number): Content {
    const before = this.contents.get(path)!;
    this.contents.set(copyPath, { ...before, path: copyPath, fd: copyFd, isHeld: false });
    return this.empty(path, before);
  }

  /** The file that was emptied. */
  empty(path: string, before: Content): Content {
    const next = this.create(path, before.fd, before.pending.length > 0 || !before.hasOwnLine);
    next.isHeld = before.isHeld;
    return next;
  }

  /** Everything that was owed has arrived and is committed; `isHeld`: pannier has it open under its name. */
  settle(isHeld: (content: Content) => boolean): void {
    for (const content of [...this.contents.values(), ...this.nameless]) {
      content.pending = content.begun === undefined ? [] : [content.begun];
      if (content.path !== undefined) content.isHeld = isHeld(content);
    }
  }

  /** Pannier has ended. What only it had is gone, unless it had committed all. */
  end(isComplete: boolean): void {
    this.isRunning = false;
    for (const content of this.nameless) if (!isComplete) forgive(content);
    this.nameless.clear();
    for (const content of this.contents.values()) {
      content.isHeld = false;
      if (isComplete) content.pending = content.begun === undefined ? [] : [content.begun];
    }
  }

  /** A drain ends what has no end yet. */
  beginDrain(): void {
    for (const { begun } of [...this.contents.values(), ...this.nameless])
      if (begun !== undefined) begun.mayBeInPieces = true;
  }
}

function forgive(content: Content): void {
  for (const line of content.pending) line.must = false;
}
