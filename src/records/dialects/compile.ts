import { ANY_KIND, ECS_KINDS, isOpened, METADATA_NAMES } from "../ecs.ts";
import { Levels } from "../choose/level.ts";
import { Kind } from "../members.ts";
import { Names } from "../names.ts";
import { Role, ROLE_FIELD } from "../roles.ts";
import type { RoleName } from "../roles.ts";
import type { Dialect } from "./dialect.ts";
import { Facts } from "./facts.ts";
import type { FactSet } from "./facts.ts";
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
  readonly added: Uint16Array;
  readonly addedCount: number;
}

/** Turns the tables of the dialects, and names that the input adds, into tables over numbers. */
export function compileDialects(dialects: readonly Dialect[], addedNames: readonly string[]): Vocabulary {
  const facts = new Facts();
  const conditions = dialects.map((dialect) => ({
    when: dialect.when.map((set) => facts.set(set)),
    unless: facts.set(dialect.unless ?? []),
  }));
  const names = new Names([
    ...Object.keys(ECS_KINDS),
    ...METADATA_NAMES,
    ...Object.values(ROLE_FIELD),
    ...addedNames.flatMap((name) => [name, ...parentsOf(name)]),
    ...facts.keys(),
    ...dialects.flatMap((dialect) => [...pickedNames(dialect), ...[...expandKeys(dialect).values()].flat()]),
  ]);
  const compiled = dialects.map((dialect, index) => ({ ...compileDialect(dialect, names), ...conditions[index] }));

  const fieldRoles = new Uint8Array(names.size);
  for (const [role, field] of Object.entries(ROLE_FIELD)) fieldRoles[names.idOf(field)] = Role[role as RoleName];

  const added = new Uint16Array(names.size);
  const mayOpen = new Uint8Array(names.size);
  for (const { openings } of compiled) openings.forEach((opening, id) => (mayOpen[id] |= opening));
  addedNames.forEach((name, index) => {
    added[names.idOf(name)] = index + 1;
    // So that the line's own member of that name is found where it is nested.
    for (const parent of parentsOf(name)) mayOpen[names.idOf(parent)] |= Opening.picked;
  });
  const { low: factsLow, high: factsHigh } = facts.tables(names);
  return {
    names,
    dialects: compiled,
    factsLow,
    factsHigh,
    kinds: compileKinds(names, addedNames),
    fieldRoles,
    mayOpen,
    added,
    addedCount: addedNames.length,
  };
}

function compileDialect(dialect: Dialect, names: Names): Omit<CompiledDialect, "when" | "unless"> {
  const roles = new Uint8Array(names.size);
  const ranks = new Uint8Array(names.size);
  for (const [role, keys] of expandKeys(dialect)) {
    keys.forEach((key, rank) => {
      roles[names.idOf(key)] = Role[role];
      ranks[names.idOf(key)] = rank;
    });
  }
  const openings = new Uint8Array(names.size);
  for (const name of pickedNames(dialect)) openings[names.idOf(name)] = Opening.picked;
  for (const name of Object.keys(ECS_KINDS)) if (isOpened(name)) openings[names.idOf(name)] = Opening.dotted;
  return { name: dialect.name, roles, ranks, openings, levels: levelsOf(dialect) };
}

function compileKinds(names: Names, addedNames: readonly string[]): Uint8Array {
  const kinds = new Uint8Array(names.size).fill(ANY_KIND);
  for (const [name, allowed] of Object.entries(ECS_KINDS)) kinds[names.idOf(name)] = allowed;
  for (const name of METADATA_NAMES) kinds[names.idOf(name)] = 0;
  // A line that says nothing under an added name makes way for it.
  for (const name of addedNames) kinds[names.idOf(name)] &= ~(1 << Kind.null);
  return kinds;
}

/** The same for every input. */
const levelsOfDialects = new Map<Dialect, Levels>();

function levelsOf(dialect: Dialect): Levels {
  const known = levelsOfDialects.get(dialect) ?? new Levels(dialect.levels);
  levelsOfDialects.set(dialect, known);
  return known;
}

/** `a.b.c` → `a`, `a.b` */
function parentsOf(name: string): string[] {
  return name
    .split(".")
    .slice(0, -1)
    .map((_, index, parts) => parts.slice(0, index + 1).join("."));
}
