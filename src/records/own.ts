import { LineFlag } from "../core/record.ts";
import type { Line } from "../core/record.ts";
import type { Choice } from "./choose/choose.ts";
import { Constant, copyConstant, writeInteger } from "./copy.ts";
import type { Window } from "./copy.ts";
import type { Vocabulary } from "./dialects/compile.ts";
import { ECS_KINDS, METADATA_NAMES } from "./ecs.ts";

const ECS_VERSION = "8.11.0";

/** A constant field that pannier adds where the line has none of that name. */
export interface AddedField {
  readonly name: string;
  readonly value: unknown;
}

/** What the configuration adds to every record of an input, as flat dotted names; those that are pannier's own are left out. */
export function addedFields(fields: Readonly<Record<string, unknown>>, serviceName: string | undefined): AddedField[] {
  const result = new Map<string, unknown>([["ecs.version", ECS_VERSION]]);
  if (serviceName !== undefined) result.set("service.name", serviceName);
  const add = (prefix: string, object: Readonly<Record<string, unknown>>): void => {
    for (const [key, value] of Object.entries(object)) {
      const name = prefix + key;
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        add(`${name}.`, value as Record<string, unknown>);
      else if (value !== undefined && ECS_KINDS[name] !== 0 && !METADATA_NAMES.includes(name)) result.set(name, value);
    }
  };
  add("", fields);
  return [...result].map(([name, value]) => ({ name, value }));
}

const ORIGINAL_BYTES = new Constant(',"log.original_bytes":');

/** `,"log.flags":["truncated"]` for each set of flags. */
const FLAGS_MEMBERS = Array.from({ length: 8 }, (_, flags) => {
  const names = Object.entries(LineFlag).flatMap(([name, bit]) => ((flags & bit) !== 0 ? [name] : []));
  return new Constant(names.length === 0 ? "" : `,"log.flags":${JSON.stringify(names)}`);
});

/** Writes what pannier says about a record, behind what the application said. */
export class OwnFields {
  readonly #members: readonly Constant[];
  readonly #all: Constant;
  /** Role of each added name in a record, 0 when it has none. */
  readonly #roles: readonly number[];
  /** What stands before the offset, for all lines of the file at hand. */
  #path = "";
  #place = placeOf("");

  constructor(fields: readonly AddedField[], vocabulary: Vocabulary) {
    const members = fields.map(({ name, value }) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`);
    this.#members = members.map((text) => new Constant(text));
    this.#all = new Constant(members.join(""));
    this.#roles = fields.map(({ name }) => vocabulary.fieldRoles[vocabulary.names.idOf(name)]);
  }

  /** Most bytes that both write, without the path and what stands beside it. */
  get maxBytes(): number {
    return this.#all.length + ORIGINAL_BYTES.length + FLAGS_MEMBERS[7].length + 2 * 16;
  }

  /** Writes where the line stands: `"log.file.path":…,"log.offset":…`. */
  writePlace(line: Line, out: Window, at: number): number {
    if (line.path !== this.#path) {
      this.#path = line.path;
      this.#place = placeOf(line.path);
    }
    at = copyConstant(this.#place, out, at);
    return writeInteger(line.offset, out.bytes, at);
  }

  /** Writes the rest, and the end of the record. `choice` says what the line has already; undefined: nothing. */
  writeRest(line: Line, choice: Choice | undefined, out: Window, at: number): number {
    at = this.#writeAdded(choice, out, at);
    if (line.flags !== 0) {
      at = copyConstant(FLAGS_MEMBERS[line.flags & 7], out, at);
      if ((line.flags & LineFlag.truncated) !== 0) {
        at = copyConstant(ORIGINAL_BYTES, out, at);
        at = writeInteger(line.originalBytes, out.bytes, at);
      }
    }
    out.bytes[at++] = 0x7d;
    return at;
  }

  #writeAdded(choice: Choice | undefined, out: Window, at: number): number {
    if (choice === undefined) return copyConstant(this.#all, out, at);
    let missing = 0;
    const { best, hasAdded } = choice;
    for (let i = 0; i < this.#roles.length; i++) {
      const role = this.#roles[i];
      if (role === 0 ? hasAdded[i + 1] === 0 : best[role] < 0) missing++;
    }
    if (missing === this.#roles.length) return copyConstant(this.#all, out, at);
    if (missing === 0) return at;
    for (let i = 0; i < this.#roles.length; i++) {
      const role = this.#roles[i];
      if (role === 0 ? hasAdded[i + 1] === 0 : best[role] < 0) at = copyConstant(this.#members[i], out, at);
    }
    return at;
  }
}

function placeOf(path: string): Constant {
  return new Constant(`"log.file.path":${JSON.stringify(path.toWellFormed())},"log.offset":`);
}
