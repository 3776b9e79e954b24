import { type CursorRecord, noTerms } from "../../src/core/state.ts";

/** What the journal knows of a cursor that is at the beginning of its file, but for these parts. */
export function cursorRecord(parts: Partial<CursorRecord> = {}): CursorRecord {
  const places = { start: 0, committed: 0, tail: Buffer.alloc(0), sent: 0, sentTail: Buffer.alloc(0) };
  return {
    sink: "es",
    ...places,
    lastTime: "",
    ...noTerms(),
    boundaries: [],
    salts: new Map(),
    placements: [],
    ...parts,
  };
}
