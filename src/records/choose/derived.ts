import { NAME, VALUE_END, VALUE_START } from "../members.ts";
import { Role } from "../roles.ts";
import { ErrorText } from "./error-text.ts";

/** In an entry's NAME: bits 0–15 the name's id, from here on the role that was given to it. */
export const ROLE_SHIFT = 16;
export const ID_MASK = 0xffff;

/** Which fields a text gives. A set of bits. */
export const Gives = { type: 1, message: 2, stack: 4 } as const;

/**
 * A text can stand for several fields: a caller for file and line, an error for type, message and stack trace. It gives those that no member
 * has; a text with nothing to give stays where it is.
 */
export class Derived {
  readonly error: ErrorText = new ErrorText();
  readonly stack: ErrorText = new ErrorText();
  errorGives = 0;
  stackGives = 0;
  readonly #best: Int32Array;

  /** `best`: the entries that have the roles, for this class to change. */
  constructor(best: Int32Array) {
    this.#best = best;
  }

  derive(bytes: Buffer, entries: Int32Array): void {
    this.#deriveCaller(entries);
    this.#deriveError(bytes, entries);
    this.#deriveStack(bytes, entries);
  }

  #deriveCaller(entries: Int32Array): void {
    const best = this.#best;
    const at = best[Role.caller];
    if (at < 0) return;
    if (best[Role.originFile] >= 0 || best[Role.originLine] >= 0) this.#release(entries, Role.caller);
    else best[Role.originFile] = best[Role.originLine] = at;
  }

  #deriveError(bytes: Buffer, entries: Int32Array): void {
    const at = this.#best[Role.error];
    if (at < 0) return;
    if (!this.#claim(Role.errorMessage, at)) {
      this.#release(entries, Role.error);
      return;
    }
    const end = entries[at + VALUE_END] - 1;
    this.error.read(bytes, entries[at + VALUE_START] + 1, end);
    this.errorGives = Gives.message;
    if (this.error.typeEnd >= 0 && this.#claim(Role.errorType, at)) this.errorGives |= Gives.type;
    const hasMore = this.error.lineEnd < end && this.#best[Role.stack] < 0;
    if (hasMore && this.#claim(Role.errorStack, at)) this.errorGives |= Gives.stack;
  }

  #deriveStack(bytes: Buffer, entries: Int32Array): void {
    const at = this.#best[Role.stack];
    if (at < 0) return;
    if (!this.#claim(Role.errorStack, at)) {
      this.#release(entries, Role.stack);
      return;
    }
    this.stack.read(bytes, entries[at + VALUE_START] + 1, entries[at + VALUE_END] - 1);
    this.stackGives = Gives.stack;
    if (this.stack.typeEnd < 0) return;
    if (this.#claim(Role.errorType, at)) this.stackGives |= Gives.type;
    if (this.#claim(Role.errorMessage, at)) this.stackGives |= Gives.message;
  }

  #claim(role: number, at: number): boolean {
    if (this.#best[role] >= 0) return false;
    this.#best[role] = at;
    return true;
  }

  #release(entries: Int32Array, role: number): void {
    entries[this.#best[role] + NAME] &= ID_MASK;
    this.#best[role] = -1;
  }
}
