/** One case: an application, pannier and a receiver around one directory, and what they owe each other. */
import { fstatSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Application } from "./application.ts";
import { Model } from "./model.ts";
import type { Receiver } from "./index.ts";
import type { Stage, Subject } from "./subject.ts";
import { byNumber, isComplete, type Verdict, verify } from "./verify.ts";

const POLL_MS = 10;
/** Counted in looks, not in time: on a machine that stands still for half a minute nobody is late. */
const LOOKS_MAX = 2_000;

/** Something that the application does when pannier has taken so many more steps. */
export interface Deed {
  readonly steps: number;
  readonly act: (application: Application) => void;
}

export class World {
  readonly root: string;
  readonly model: Model = new Model();
  readonly application: Application;
  receiver!: Receiver;
  subject!: Subject;

  readonly #isGentle: boolean;

  private constructor(place: string, isGentle: boolean) {
    this.#isGentle = isGentle;
    this.root = mkdtempSync(join(place, "pannier-model-"));
    const rotatedMax = isGentle ? Infinity : undefined;
    this.application = new Application(this.root, this.model, () => this.subject.nowMs(), rotatedMax);
  }

  /** In a gentle world nothing is taken away that was written. */
  static async create(stage: Stage, { seed = 0, isGentle = false } = {}): Promise<World> {
    const world = new World(stage.places[seed % stage.places.length], isGentle);
    return Object.assign(world, await stage.set(world.root));
  }

  /**
   * Pannier starts, and while it looks at the files for the first time, the application does these things. False when that look
   * was over before all of them were done.
   */
  async start(deeds: readonly Deed[] = []): Promise<boolean> {
    let done = 0;
    let stepsLeft = deeds[0]?.steps ?? 0;
    const doNext = (): void => {
      deeds[done++].act(this.application);
      stepsLeft = deeds[done]?.steps ?? 0;
    };
    await this.subject.start(() => {
      while (done < deeds.length && stepsLeft-- <= 0) doNext();
    });
    const isInTime = done === deeds.length;
    while (done < deeds.length) doNext();
    this.model.isRunning = this.subject.isAlive;
    return isInTime;
  }

  async kill(): Promise<void> {
    await this.subject.kill();
    this.model.end(false);
  }

  crashSoon(steps: number): void {
    this.subject.crashSoon(steps, () => this.model.end(false));
  }

  async drain(): Promise<void> {
    this.model.beginDrain();
    this.model.end(await this.subject.drain());
  }

  /** Waits until all that is owed has arrived and is committed. */
  async settle(): Promise<void> {
    await this.receiver.heal();
    for (let looks = 1; ; looks++) {
      if (!this.model.isRunning) await this.start();
      const files = await this.subject.look();
      if (!this.model.isRunning) continue;
      const missing = this.#missing();
      const busy = files.filter(({ path, unread, inFlight }) => inFlight > 0 || unread > this.#begunBytes(path));
      if (missing.length === 0 && busy.length === 0) {
        // A deleted file is still known by the name that a new one has now, and both may be empty.
        const inodes = this.subject.openInodes();
        this.model.settle(({ path, fd }) => {
          const { ino, size } = fstatSync(fd);
          return inodes.has(ino) && files.some((file) => file.path === path && file.size === size);
        });
        return;
      }
      if (looks === LOOKS_MAX) {
        const wait = busy.map((file) => JSON.stringify(file)).join(" ");
        throw new Error(
          `${missing.length} lines have not come (${missing.slice(0, 10).join(", ")}); not committed: ${wait}`,
        );
      }
      await this.subject.pass(POLL_MS);
    }
  }

  /** The end of a case: everything arrives, a drain leaves nothing behind, and every count is right. */
  async finish(): Promise<Verdict> {
    this.subject.crashSoon(Infinity, () => undefined);
    await this.settle();
    this.model.beginDrain();
    if (!(await this.subject.drain())) throw new Error("the last drain was not complete");
    this.model.end(true);
    const verdict = verify(this.model, this.receiver.index.documents.values());
    const wrong = [
      ...verdict.lost.map((what) => `lost: ${what}`),
      ...verdict.doubled.map((what) => `doubled: ${what}`),
      ...verdict.torn.map((what) => `torn: ${what}`),
      ...this.#wrongTerms(),
    ];
    if (this.subject.unexpectedConflicts() > 0) wrong.push("conflicts were not expected");
    const saidLost = this.subject.saidLostBytes();
    if (this.#isGentle && saidLost > 0) wrong.push(`${saidLost} bytes were said to be lost that are not`);
    if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join("\n"));
    return verdict;
  }

  async remove(): Promise<string> {
    const last = await this.subject.end();
    await this.receiver.stop();
    this.application.close();
    rmSync(this.root, { recursive: true, force: true });
    return `${last}\nrequests:\n${this.receiver.requests.join("\n")}`;
  }

  #missing(): string[] {
    const { headers, lines } = byNumber(this.receiver.index.documents.values());
    const missing = this.model.lines
      .filter((line) => line.must && !this.#isBegun(line.n) && !isComplete(line, lines.get(line.n)))
      .map(({ n }) => `line ${n}`);
    if (headers.length < this.model.headers.filter(({ must }) => must).length) missing.push("a header");
    return missing;
  }

  #isBegun(n: number): boolean {
    return [...this.model.contents.values(), ...this.model.nameless].some(({ begun }) => begun?.n === n);
  }

  #begunBytes(path: string): number {
    // A file without a watched name is still known under its last one.
    const contents = [this.model.contents.get(path), ...this.model.nameless];
    return Math.max(...contents.map((content) => content?.begun?.text.length ?? 0));
  }

  /** Of every file, each byte up to the committed offset has exactly one of the five final terms. */
  #wrongTerms(): string[] {
    return this.subject
      .terms()
      .filter((t) => t.delivered + t.filtered + t.deadLettered + t.cut + t.lost !== t.committed - t.start)
      .map((t) => `the terms do not add up: ${JSON.stringify(t)}`);
  }
}
