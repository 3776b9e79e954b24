import { describe } from "../core/errors.ts";
import type { FileEvents } from "./events.ts";
import type { Reports } from "./reports.ts";
import type { Source } from "./source.ts";

/**
 * Tells the other stages of sources. They journal where they begin; when that fails, they are told again at the next look, and
 * the source is `untold` until then.
 */
export class Telling {
  readonly #events: FileEvents;
  readonly #reports: Reports;

  constructor(events: FileEvents, reports: Reports) {
    this.#events = events;
    this.#reports = reports;
  }

  tell(source: Source, telling: () => void): void {
    source.untold = telling;
    try {
      telling();
      source.untold = undefined;
    } catch (error) {
      const message = `${source.path} cannot be begun: ${describe(error)}; it is tried again`;
      this.#reports.once("error", "file_not_begun", source.path, message);
    }
  }

  /** True when the other stages know of the source. */
  isTold(source: Source): boolean {
    if (source.untold !== undefined) this.tell(source, source.untold);
    return source.untold === undefined;
  }

  /** Tells of all that should be known: some of those who are told are new. */
  tellAll(sources: Iterable<Source>): void {
    for (const source of sources) this.tell(source, source.untold ?? (() => this.#events.opened(source)));
  }
}
