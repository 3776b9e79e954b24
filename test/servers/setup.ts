import type { TestProject } from "vitest/node";
import { startBroker } from "./broker.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly serverBroker: string;
  }
}

/** Runs once per `vitest run`, in its main process, before the first and after the last integration test. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const broker = await startBroker();
  project.provide("serverBroker", broker.url);
  return broker.stop;
}
