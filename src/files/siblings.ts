/** A rotated file beside NAME: `NAME.N`, `NAME-DATE`, `NAME.DATE`, perhaps compressed. */
const SUFFIX = /^(?:\.\d+|[.-]\d{4}-?\d\d(?:[-_.T:]?\d+)*Z?)(\.(?:gz|bz2|xz|zst|lz4|zip|Z))?$/;

/** How a name says that it is a rotated sibling. */
export interface SiblingName {
  readonly base: string;
  readonly suffix: string;
  readonly compressed: boolean;
}

/** Takes a name apart as a sibling of the shortest base name that `isWatched`; undefined when it is none. */
export function parseSibling(name: string, isWatched: (base: string) => boolean): SiblingName | undefined {
  for (let at = 1; at < name.length; at++) {
    const character = name[at];
    if (character !== "." && character !== "-") continue;
    const match = SUFFIX.exec(name.slice(at));
    if (match === null || !isWatched(name.slice(0, at))) continue;
    return { base: name.slice(0, at), suffix: match[0], compressed: match[1] !== undefined };
  }
  return undefined;
}

/** What follows a base name says that this is a rotated sibling, or nothing follows. */
export function isInFamily(path: string, base: string): boolean {
  return path === base || (path.startsWith(base) && SUFFIX.test(path.slice(base.length)));
}

export interface Ordered {
  /** "" for the file that still has the base name. */
  readonly suffix: string;
  readonly look: { readonly mtimeNs: bigint };
}

/**
 * Oldest first. The file with the base name is the newest. Among the others the modification time decides, since names lie
 * after a change of the rotation's configuration; a burst within one tick of the clock is put in order by its names.
 */
export function compareAge(a: Ordered, b: Ordered): number {
  if (a.suffix === "" || b.suffix === "") return Number(a.suffix === "") - Number(b.suffix === "");
  if (a.look.mtimeNs !== b.look.mtimeNs) return a.look.mtimeNs < b.look.mtimeNs ? -1 : 1;
  const numberOfA = rotationNumber(a.suffix);
  const numberOfB = rotationNumber(b.suffix);
  if (numberOfA !== undefined && numberOfB !== undefined) return numberOfB - numberOfA;
  return a.suffix < b.suffix ? -1 : 1;
}

/** `.3` is the third last; `.20260131` is a date. */
function rotationNumber(suffix: string): number | undefined {
  return /^\.\d{1,5}$/.test(suffix) ? Number(suffix.slice(1)) : undefined;
}
