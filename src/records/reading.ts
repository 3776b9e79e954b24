import { Facts, type Line } from "../core/record.ts";
import type { Choice } from "./choose/choose.ts";
import type { Constant, Window } from "./copy.ts";
import { checkKeys } from "./formats/check-keys.ts";
import { FLAGS, Kind, KIND_MASK, type Members, VALUE_END, VALUE_START } from "./members.ts";
import type { Payload } from "./payload.ts";
import { Role } from "./roles.ts";
import type { Shape } from "./shapes/shape.ts";
import { Shapes, type Written } from "./shapes/shapes.ts";
import { SpanLog } from "./shapes/span-log.ts";
import type { RecordTime } from "./time/record-time.ts";

/** What stands around the name of a level in the member that is written for it. */
const LEVEL_NAME_START = ',"log.level":"'.length;

const NOTHING = Buffer.alloc(0);
/** Nothing is written, so a shape is learned without texts and stretches: its guards are what is used of it. */
const NOTHING_WRITTEN: Written = { out: NOTHING, bodyStart: 0, bodyEnd: 0, tailStart: 0, end: 0 };
const NO_SPANS = new SpanLog();

/** Reads what a line says about itself, by the rules by which documents are made, and writes nothing. */
export class LineReader {
  readonly #json: boolean;
  readonly #payload: Payload;
  readonly #time: RecordTime;
  readonly #choice: Choice;
  readonly #members: Members;
  readonly #shapes = new Shapes();
  readonly #facts = new Facts();
  readonly #levels = new Map<Constant, Buffer>();

  constructor(json: boolean, payload: Payload, time: RecordTime, choice: Choice, members: Members) {
    this.#json = json;
    this.#payload = payload;
    this.#time = time;
    this.#choice = choice;
    this.#members = members;
  }

  read(line: Line): Facts {
    const payload = this.#payload;
    const facts = this.#facts;
    facts.hasTime = false;
    facts.level = undefined;
    facts.traceStart = -1;
    facts.spanStart = -1;
    payload.set(line);
    const before = payload.source;
    const { start } = payload;
    if (this.#json && payload.scan(this.#members)) {
      this.#time.setFallback(line.fallbackTime);
      const shape = line.flags === 0 ? this.#shapes.find(payload.source, this.#members) : undefined;
      if (shape === undefined || !this.#readShape(shape, payload.source)) this.#readMembers(line.flags === 0);
    }
    // To be read, the text may have been changed in a copy; what goes out is the line's own, where all stands at the same places.
    if (payload.source !== before) {
      const moved = start - payload.start;
      payload.set(line);
      facts.traceStart += facts.traceStart < 0 ? 0 : moved;
      facts.traceEnd += moved;
      facts.spanStart += facts.spanStart < 0 ? 0 : moved;
      facts.spanEnd += moved;
    }
    facts.start = payload.start;
    facts.end = payload.end;
    return facts;
  }

  /** A line of a known shape; false when its values are not what they mostly are. */
  #readShape(shape: Shape, source: Window): boolean {
    const { guards } = shape;
    const members = this.#members;
    if (guards.time >= 0 && !shape.readTime(source, members, this.#time)) return false;
    const level = guards.level >= 0 ? shape.levelOf(source, members) : undefined;
    if ((guards.level >= 0 && level === undefined) || !shape.hasIds(source, members)) return false;
    if (guards.time >= 0) this.#takeTime();
    if (level !== undefined) this.#facts.level = this.#nameOf(level);
    const { ids } = guards;
    for (let i = 0; i < ids.length; i++) this.#takeId(ids[i].role, ids[i].entry);
    return true;
  }

  /** A line whose shape is new, or whose values are unusual: by all the rules. */
  #readMembers(learns: boolean): void {
    const { source } = this.#payload;
    const members = this.#members;
    const choice = this.#choice;
    checkKeys(source.bytes, members);
    choice.choose(source.bytes, members);
    // The last time that was looked at need not be the one that was chosen.
    const time = choice.best[Role.time];
    if (time >= 0) {
      const { entries } = members;
      const isText = (entries[time + FLAGS] & KIND_MASK) === Kind.text;
      const [start, end] = [entries[time + VALUE_START], entries[time + VALUE_END]];
      if (isText) this.#time.readText(source.bytes, start + 1, end - 1);
      else this.#time.readNumber(source.bytes, start, end);
      this.#takeTime();
    }
    if (choice.level !== undefined) this.#facts.level = this.#nameOf(choice.level);
    this.#takeId(Role.traceId, choice.best[Role.traceId]);
    this.#takeId(Role.spanId, choice.best[Role.spanId]);
    if (learns) this.#shapes.learn(source, members, choice, NO_SPANS, NOTHING_WRITTEN);
  }

  #takeTime(): void {
    const facts = this.#facts;
    const time = this.#time;
    facts.hasTime = true;
    facts.second = time.second;
    time.readFraction();
    facts.nanos = time.nanos;
    facts.stepNanos = time.stepNanos;
  }

  #takeId(role: number, entry: number): void {
    if (entry < 0) return;
    const { entries } = this.#members;
    const start = entries[entry + VALUE_START] + 1;
    const end = entries[entry + VALUE_END] - 1;
    const facts = this.#facts;
    if (role === Role.traceId) {
      facts.traceStart = start;
      facts.traceEnd = end;
    } else if (role === Role.spanId) {
      facts.spanStart = start;
      facts.spanEnd = end;
    }
  }

  #nameOf(level: Constant): Buffer {
    let name = this.#levels.get(level);
    if (name === undefined) {
      name = Buffer.from(level.source.bytes.subarray(LEVEL_NAME_START, level.length - 1));
      this.#levels.set(level, name);
    }
    return name;
  }
}
