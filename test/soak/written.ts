import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Model, type OwedLine } from "../model/model.ts";

export interface Written {
  readonly rotations: number;
  readonly lines: readonly OwedLine[];
  readonly headers: readonly OwedLine[];
}

/** What the writer has left when it ended, as a model of what is owed. */
export function readWritten(root: string): { model: Model; rotations: number } {
  const { rotations, lines, headers } = JSON.parse(readFileSync(join(root, "written.json"), "utf8")) as Written;
  const model = new Model();
  // When a drain came, the writer does not know; any line may have been unfinished then.
  for (const line of lines) model.lines.push({ ...line, mayBeInPieces: true });
  model.headers.push(...headers);
  return { model, rotations };
}
