import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (options: { type: "minor" | "major" }) => void;

let collector: Collect | undefined;

/** Asks V8 to collect garbage now. Its collector is reachable only under a flag that has to be set before a context is made. */
export function collect(type: "minor" | "major"): void {
  if (collector === undefined) {
    setFlagsFromString("--expose-gc");
    const found: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
    collector = typeof found === "function" ? (found as Collect) : (): void => undefined;
  }
  collector({ type });
}
