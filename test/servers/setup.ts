import type { TestProject } from "vitest/node";

/** Runs once per `vitest run`, in its main process. */
export default function setup(_project: TestProject): () => void {
  return () => {};
}
