import type { Placement, PlacementKind, Placements } from "../core/record.ts";
import type { CursorRecord } from "../core/state.ts";
import type { Cursor } from "./cursor.ts";

/** What was decided about the records of the file at hand. One object serves all files of a pipeline. */
export class FilePlacements implements Placements {
  cursor!: Cursor;
  readonly #add: (cursor: Cursor, placement: Placement) => void;

  constructor(add: (cursor: Cursor, placement: Placement) => void) {
    this.#add = add;
  }

  at(what: PlacementKind, offset: number): string | undefined {
    const { record } = this.cursor;
    return record.placements.length === 0 ? undefined : placementAt(record, what, offset);
  }

  isOpen(offset: number): boolean {
    return offset >= this.cursor.maybeSentBelow;
  }

  decide(placement: Placement): void {
    this.#add(this.cursor, placement);
  }
}

/** The value of the last decision at or before an offset. */
export function placementAt({ placements }: CursorRecord, what: PlacementKind, offset: number): string | undefined {
  // A loop, since this is asked for every line of a file that has any.
  for (let i = placements.length - 1; i >= 0; i--) {
    const placement = placements[i];
    if (placement.what === what && placement.from <= offset) return placement.value;
  }
  return undefined;
}
