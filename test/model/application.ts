/** An application that does to its log files all that applications and rotation tools do, and tells the model. */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { type LineShape, PIECE_MIN_BYTES, textOf } from "./lines.ts";
import { type Content, HEADER, type Model } from "./model.ts";

/** The names that are written to, below the directory of a case. */
export const NAMES = ["a/app.log", "a/web.log", "b/app.log"] as const;
export const DIRECTORIES = ["a", "b"] as const;

/** Rotated files that are kept where nothing else is said. */
const ROTATED_MAX = 4;
/** After this time an unlinked file may be closed as finished. */
const LATE_MAX_MS = 2_000;

export class Application {
  readonly #model: Model;
  readonly #root: string;
  readonly #nowMs: () => number;
  readonly #rotatedMax: number;
  readonly #descriptors = new Set<number>();
  /** Files that were renamed or unlinked while the application still writes to them, the latest last. */
  #left: readonly { content: Content; atMs: number }[] = [];
  /** What is still to be written of lines that were begun. */
  readonly #rest = new Map<Content, string>();
  /** Files that came from the other directory. */
  readonly #movedAcross = new Set<number>();
  /**
   * Those of them that were copied and truncated where they are now. They keep a name there: nothing would tell whose copy that
   * was, had pannier not looked meanwhile (docs/guarantees.md, "Moved, copied and gone again").
   */
  readonly #copiedAbroad = new Set<number>();
  #dates = 0;

  /** `nowMs`: the time that pannier lives in. */
  constructor(root: string, model: Model, nowMs: () => number, rotatedMax = ROTATED_MAX) {
    this.#root = root;
    this.#model = model;
    this.#nowMs = nowMs;
    this.#rotatedMax = rotatedMax;
    for (const directory of [...DIRECTORIES, "elsewhere"]) mkdirSync(join(root, directory), { recursive: true });
  }

  path(name: string): string {
    return join(this.#root, name);
  }

  /** The content under a name; a file is made where there is none. */
  open(name: string): Content {
    const path = this.path(name);
    return this.#model.contents.get(path) ?? this.#model.create(path, this.#openFile(path));
  }

  write(name: string, count: number, shape: LineShape): void {
    const content = this.open(name);
    this.endLine(content);
    this.#append(content, count, shape);
  }

  writeHeader(name: string): void {
    const content = this.open(name);
    this.endLine(content);
    this.#model.writeHeader(content);
    writeSync(content.fd, `${HEADER}\n`);
  }

  /** Lines of white space are no records. */
  writeBlank(name: string): void {
    const content = this.open(name);
    this.endLine(content);
    writeSync(content.fd, " \t\n\r\n\n");
  }

  /** Writes a part of a line; what is begun goes on until `endLine`. */
  begin(name: string, shape: LineShape): void {
    const content = this.open(name);
    this.endLine(content);
    let part = "";
    this.#model.write(
      content,
      (n) => {
        const text = textOf(n, shape);
        part = text.slice(0, Math.max(text.indexOf("#") + PIECE_MIN_BYTES, text.length >> 1));
        this.#rest.set(content, text.slice(part.length));
        return part;
      },
      false,
    );
    writeSync(content.fd, part);
  }

  /** The next part of the line that was begun; without its end, unless nothing else is left. */
  goOn(name: string): void {
    const content = this.open(name);
    if (content.begun === undefined) return;
    const rest = this.#rest.get(content)!;
    if (rest.length < 2 * PIECE_MIN_BYTES) return this.endLine(content);
    const part = rest.slice(0, rest.length >> 1);
    this.#model.goOn(content, part);
    this.#rest.set(content, rest.slice(part.length));
    writeSync(content.fd, part);
  }

  /** What is missing of the line that was begun, and its end. */
  endLine(content: Content): void {
    if (content.begun === undefined) return;
    const rest = this.#rest.get(content)!;
    this.#model.goOn(content, rest);
    content.begun = undefined;
    writeSync(content.fd, `${rest}\n`);
  }

  /** The application has not reopened its log yet. */
  writeLate(count: number, shape: LineShape): void {
    const late = this.#left.at(-1);
    if (late === undefined) return;
    const { content } = late;
    const isInTime = this.#nowMs() - late.atMs < LATE_MAX_MS;
    const isRead = content.path !== undefined || (isInTime && this.#model.nameless.has(content));
    if (!isRead && content.begun !== undefined) content.begun.must = false;
    this.endLine(content);
    this.#append(content, count, shape, isRead);
  }

  #append(content: Content, count: number, shape: LineShape, must = true): void {
    let text = "";
    for (let i = 0; i < count; i++) {
      text += `${this.#model.write(content, (n) => textOf(n, shape), true, must).text}\n`;
    }
    writeSync(content.fd, text);
  }

  /** app.log → app.log.1 → app.log.2 → …; the oldest is removed. */
  rotateByNumber(name: string, create: boolean): void {
    const path = this.path(name);
    this.#makeRoom(path);
    this.#leave(path, `${path}.1`);
    if (create) this.open(name);
  }

  /** logrotate's `copytruncate`, by a tool that no write comes between: the application goes on in the file that is empty now. */
  copyTruncate(name: string): void {
    const path = this.path(name);
    const content = this.open(name);
    if (this.#movedAcross.has(content.fd)) this.#copiedAbroad.add(content.fd);
    this.endLine(content);
    this.#makeRoom(path);
    copyFileSync(path, `${path}.1`);
    this.#follow(this.#model.copyTruncate(path, `${path}.1`, this.#openFile(`${path}.1`)));
    truncateSync(path, 0);
  }

  rotateByDate(name: string, dash: boolean): void {
    const path = this.path(name);
    const second = String(this.#dates++).padStart(4, "0");
    const suffix = dash ? `-20260131-10${second}` : `.2026-01-31-10${second}`;
    this.#leave(path, `${path}${suffix}`);
    this.open(name);
  }

  /** Into a directory that is not watched: who has it open reads on. */
  moveAway(name: string): void {
    const path = this.path(name);
    if (this.#mustStay(path)) return;
    this.#leave(path, this.path(`elsewhere/${this.#dates++}-${basename(name)}`), true);
  }

  /** Into the other watched directory, where that name is free. */
  moveAcross(name: string): void {
    const path = this.path(name);
    const [a, b] = DIRECTORIES;
    const other = join(this.#root, dirname(name) === a ? b : a, basename(name));
    if (existsSync(other) || this.#mustStay(this.path(name))) return;
    this.#leave(path, other);
    this.#movedAcross.add(this.#model.contents.get(other)!.fd);
  }

  /** In place: the application's descriptor goes on at the new end. */
  truncate(name: string): void {
    const content = this.#model.truncate(this.path(name));
    this.#follow(content);
    truncateSync(content.path!, 0);
  }

  delete(name: string, keepsWriting: boolean): void {
    if (this.#mustStay(this.path(name))) return;
    const content = this.#unlink(this.path(name));
    if (keepsWriting) this.#left = [...this.#left, { content, atMs: this.#nowMs() }];
    else this.#close(content);
  }

  /** A new file, already with lines in it, is renamed over the old one. */
  replace(name: string, count: number, shape: LineShape, hasHeader: boolean): void {
    const path = this.path(name);
    if (this.#mustStay(path)) return;
    const temporary = this.path(`elsewhere/new-${this.#dates++}`);
    const fd = this.#openFile(temporary);
    if (this.#model.contents.has(path)) this.#close(this.#model.unlink(path));
    const content = this.#model.create(path, fd);
    if (hasHeader) {
      this.#model.writeHeader(content);
      writeSync(fd, `${HEADER}\n`);
    }
    this.#append(content, count, shape);
    renameSync(temporary, path);
  }

  close(): void {
    for (const fd of this.#descriptors) closeSync(fd);
    this.#descriptors.clear();
  }

  #mustStay(path: string): boolean {
    const content = this.#model.contents.get(path);
    return content !== undefined && this.#copiedAbroad.has(content.fd);
  }

  #openFile(path: string): number {
    const fd = openSync(path, "a");
    this.#descriptors.add(fd);
    return fd;
  }

  #close(content: Content): void {
    this.#left = this.#left.filter((late) => late.content.fd !== content.fd);
    this.#descriptors.delete(content.fd);
    this.#movedAcross.delete(content.fd);
    this.#copiedAbroad.delete(content.fd);
    closeSync(content.fd);
  }

  /** The same file has other content now. */
  #follow(content: Content): void {
    this.#left = this.#left.map((late) => (late.content.fd === content.fd ? { ...late, content } : late));
  }

  /** NAME.1 becomes free; the oldest is removed when there are too many. */
  #makeRoom(path: string): void {
    let oldest = 0;
    while (existsSync(`${path}.${oldest + 1}`)) oldest++;
    if (oldest >= this.#rotatedMax) this.#unlink(`${path}.${oldest--}`);
    for (let i = oldest; i >= 1; i--) this.#rename(`${path}.${i}`, `${path}.${i + 1}`);
  }

  #rename(from: string, to: string): void {
    renameSync(from, to);
    this.#model.rename(from, to);
  }

  /** Renames the file that is written to. */
  #leave(from: string, to: string, away = false): void {
    renameSync(from, to);
    const content = this.#model.contents.get(from)!;
    if (away) this.#model.unlink(from);
    else this.#model.rename(from, to);
    this.#left = [...this.#left, { content, atMs: this.#nowMs() }];
  }

  #unlink(path: string): Content {
    rmSync(path);
    return this.#model.unlink(path);
  }
}
