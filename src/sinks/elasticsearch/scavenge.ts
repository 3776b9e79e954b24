import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SCAVENGE_EVERY_BYTES, SCAVENGES_PER_COLLECTION } from "../../core/limits.ts";

type Collect = (options: { type: "minor" | "major" }) => void;

let collect: Collect | undefined;

/** V8's collector is reachable only under a flag that has to be set before a context is made. */
function collector(): Collect {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    const found: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
    collect = typeof found === "function" ? (found as Collect) : (): void => undefined;
  }
  return collect;
}

/**
 * Node reads sockets into new buffers of 64 KiB, which V8 hardly counts when it decides to collect. This process makes few
 * other objects, so answers of 225 KB were measured to hold 32 MiB before they were let go. The collector is asked to come by
 * whenever so much has been received, a third of a millisecond each time; what was in use in those moments has become old and
 * is collected now and then.
 */
export class Scavenger {
  #receivedBytes = 0;
  #scavenges = 0;

  received(bytes: number): void {
    this.#receivedBytes += bytes;
    if (this.#receivedBytes < SCAVENGE_EVERY_BYTES) return;
    this.#receivedBytes = 0;
    const full = ++this.#scavenges % SCAVENGES_PER_COLLECTION === 0;
    collector()({ type: full ? "major" : "minor" });
  }
}
