import { ANY_KIND, ECS_KINDS, isOpened, METADATA_NAMES } from "../ecs.ts";
import { Levels } from "../choose/level.ts";
import { Kind } from "../members.ts";
import { Names } from "../names.ts";
import { Role, ROLE_FIELD } from "../roles.ts";
import type { RoleName } from "../roles.ts";
import type { Dialect } from "./dialect.ts";
import { expandKeys, pickedNames } from "./expand.ts";

/** What becomes of an object under a name. */
export const Opening = {
  /** It stays as it is. */
  none: 0,
  /** Its members go to the top under dotted names. */
  dotted: 1,
  /** Members that mean something are taken out, the rest of it stays an object. */
  picked: 2,
} as const;

/** One dialect as tables over name ids. */
export interface CompiledDialect {
  readonly name: string;
  readonly roles: Uint8Array;
  /** Lower is better. */
  readonly ranks: Uint8Array;
  readonly openings: Uint8Array;
  readonly levels: Levels;
  readonly when: readonly FactSet[];
  readonly unless: FactSet;
}

/** Up to 60 facts as two sets of bits. */
export interface FactSet {
  readonly low: number;
  readonly high: number;
}

export interface Vocabulary {
  readonly names: Names;
  readonly dialects: readonly CompiledDialect[];
  /** Facts that a member of that name and kind proves: index (id << 3) | kind. */
  readonly factsLow: Int32Array;
  readonly factsHigh: Int32Array;
  /** Kinds that may stand under a name in the record: index id. */
  readonly kinds: Uint8Array;
  /** The role whose name in the record this is: index id. */
  readonly fieldRoles: Uint8Array;
  /** Any dialect opens an object under it. */
  readonly mayOpen: Uint8Array;
  /** Which of the added names this is, from 1 on: index id. */
  readonly added: Uint8Array;
  readonly addedCount: number;
}

const FACTS_MAX = 60;

/** Turns the tables of the dialects, and names that the input adds, into tables over numbers. */
export function compileDialects(dialects: readonly Dialect[], addedNames: readonly string[]): Vocabulary {
  const names = new Names([...Object.keys(ECS_KINDS), ...METADATA_NAMES]);
  for (const name of addedNames) for (const each of [name, ...parentsOf(name)]) names.add(each);
  for (const field of Object.values(ROLE_FIELD)) names.add(field);
  const facts = new Map<string, number>();
  const factSet = (keys: readonly string[]): FactSet => {
    let low = 0;
    let high = 0;
    for (const key of keys) {
      if (!facts.has(key)) facts.set(key, facts.size);
      names.add(key.split(":")[0]);
      const bit = facts.get(key)!;
      if (bit < FACTS_MAX / 2) low |= 1 << bit;
      else high |= 1 << (bit - FACTS_MAX / 2);
    }
    return { low, high };
  };
  const keysOfRoles = dialects.map(expandKeys);
  for (const keys of keysOfRoles) for (const key of [...keys.values()].flat()) names.add(key);
  for (const key of dialects.flatMap(pickedNames)) names.add(key);
  const sets = dialects.map((dialect) => ({ when: dialect.when.map(factSet), unless: factSet(dialect.unless ?? []) }));
  if (facts.size > FACTS_MAX) throw new RangeError(`dialects use ${facts.size} facts, more than ${FACTS_MAX}`);

  const size = names.size;
  const factsLow = new Int32Array(size << 3);
  const factsHigh = new Int32Array(size << 3);
  for (const [fact, bit] of facts) {
    const [key, kindName] = fact.split(":");
    for (const [name, kind] of Object.entries(Kind)) {
      if (kindName !== undefined && kindName !== name) continue;
      const at = (names.idOf(key) << 3) | kind;
      if (bit < FACTS_MAX / 2) factsLow[at] |= 1 << bit;
      else factsHigh[at] |= 1 << (bit - FACTS_MAX / 2);
    }
  }

  const kinds = new Uint8Array(size).fill(ANY_KIND);
  for (const [name, allowed] of Object.entries(ECS_KINDS)) kinds[names.idOf(name)] = allowed;
  for (const name of METADATA_NAMES) kinds[names.idOf(name)] = 0;
  for (const name of addedNames) kinds[names.idOf(name)] &= ~(1 << Kind.null);

  const fieldRoles = new Uint8Array(size);
  for (const [role, field] of Object.entries(ROLE_FIELD)) fieldRoles[names.idOf(field)] = Role[role as RoleName];

  const added = new Uint8Array(size);
  const mayOpen = new Uint8Array(size);
  addedNames.forEach((name, index) => {
    added[names.idOf(name)] = index + 1;
    for (const parent of parentsOf(name)) mayOpen[names.idOf(parent)] = Opening.picked;
  });
  const compiled = dialects.map((dialect, index): CompiledDialect => {
    const roles = new Uint8Array(size);
    const ranks = new Uint8Array(size);
    for (const [role, list] of keysOfRoles[index]) {
      list.forEach((key, rank) => {
        roles[names.idOf(key)] = Role[role];
        ranks[names.idOf(key)] = rank;
      });
    }
    const openings = new Uint8Array(size);
    for (const key of pickedNames(dialect)) openings[names.idOf(key)] = Opening.picked;
    for (const name of Object.keys(ECS_KINDS)) if (isOpened(name)) openings[names.idOf(name)] = Opening.dotted;
    openings.forEach((opening, id) => (mayOpen[id] |= opening));
    const levels = new Levels(dialect.levels);
    return { name: dialect.name, roles, ranks, openings, levels, ...sets[index] };
  });
  return {
    names,
    dialects: compiled,
    factsLow,
    factsHigh,
    kinds,
    fieldRoles,
    mayOpen,
    added,
    addedCount: addedNames.length,
  };
}

/** `a.b.c` → `a`, `a.b` */
function parentsOf(name: string): string[] {
  return name
    .split(".")
    .slice(0, -1)
    .map((_, index, parts) => parts.slice(0, index + 1).join("."));
}
