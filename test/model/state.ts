import { Loader } from "../../src/state/load.ts";
import type { CursorTerms } from "./subject.ts";

const ignore = (): void => undefined;
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** The final terms of every cursor in a state directory that nobody uses now. */
export function cursorTerms(directory: string): readonly CursorTerms[] {
  const { files } = new Loader(directory, SILENT).load().table;
  return [...files.values()].flatMap((file) =>
    [...file.cursors.values()].map((cursor) => {
      const { start, committed, delivered, filtered, deadLettered, cut, lost } = cursor;
      return { path: file.path, start, committed, delivered, filtered, deadLettered, cut, lost };
    }),
  );
}
