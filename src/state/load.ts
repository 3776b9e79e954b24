import { linkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ExitCode, PannierError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Found } from "../core/state.ts";
import { JOURNAL, OLD_JOURNAL, SNAPSHOT } from "./directory.ts";
import { FORMAT_VERSION } from "./entries.ts";
import type { Entry, HeadEntry } from "./entries.ts";
import { readEntries } from "./line-file.ts";
import type { Damage } from "./line-file.ts";
import { Table } from "./table.ts";

/** What the files of a state directory say together. */
export interface Loaded {
  readonly table: Table;
  readonly found: Found;
  /** Above the number of every journal that is there. */
  readonly nextSequence: number;
  readonly uuid: string | undefined;
}

/** Every type of entry that this version knows; `Record` makes the compiler see to it that none is missing. */
const KNOWN: Readonly<Record<Entry["t"], true>> = {
  pannier: true,
  start: true,
  stop: true,
  file: true,
  name: true,
  move: true,
  gone: true,
  copy: true,
  size: true,
  cursor: true,
  sent: true,
  boundary: true,
  salt: true,
  place: true,
  commit: true,
  sink: true,
  end: true,
};

/** Reads snapshot, old journal and journal, in this order. */
export class Loader {
  readonly #directory: string;
  readonly #log: Log;
  readonly #table: Table = new Table();
  #uuid: string | undefined;
  /** Journals below it are in the snapshot. */
  #coveredBelow = 0;
  /** Numbers of the journals that are there. */
  readonly #journals = new Set<number>();
  #stopped = false;
  #damaged = false;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  load(): Loaded {
    const snapshot = this.#readSnapshot();
    const old = this.#readJournal(OLD_JOURNAL);
    const journal = this.#readJournal(JOURNAL);
    // The first start makes the snapshot before the journal, so a journal alone has lost it.
    if (!snapshot && (old || journal)) this.#reportDamage(SNAPSHOT, "it is missing");
    if (snapshot && !this.#damaged) this.#checkJournals();
    return {
      table: this.#table,
      found:
        !snapshot && !old && !journal ? "nothing" : this.#damaged ? "damaged" : this.#stopped ? "stopped" : "crashed",
      // A start that was cut off behind its snapshot has not used the snapshot's number.
      nextSequence: Math.max(1, this.#coveredBelow, Math.max(0, ...this.#journals) + 1),
      uuid: this.#uuid,
    };
  }

  /** False: there is none. */
  #readSnapshot(): boolean {
    let entries = 0;
    let promised = -1;
    const damage = this.#read(SNAPSHOT, (entry) => {
      if (entry.t === "pannier") {
        this.#coveredBelow = entry.sequence;
        this.#table.nextUid = Math.max(this.#table.nextUid, entry.nextUid ?? 1);
      } else if (entry.t === "end") promised = entry.count;
      else {
        entries += 1;
        this.#table.apply(entry);
      }
    });
    if (damage === undefined) return false;
    if (isDamaged(damage)) this.#reportDamage(SNAPSHOT, damageText(damage));
    else if (promised !== entries) this.#reportDamage(SNAPSHOT, `its end is missing, ${entries} entries are there`);
    return true;
  }

  /** A last line that was cut off is what a crash leaves; anything else that is no entry is damage. */
  #readJournal(name: string): boolean {
    let covered = false;
    const damage = this.#read(name, (entry) => {
      if (entry.t === "pannier") {
        covered = entry.sequence < this.#coveredBelow;
        this.#journals.add(entry.sequence);
      } else this.#stopped = entry.t === "stop";
      if (!covered) this.#table.apply(entry);
    });
    if (damage === undefined) return false;
    if (isDamaged(damage)) this.#reportDamage(name, damageText(damage));
    return true;
  }

  /**
   * The journals from the snapshot's number on follow each other. A start that was killed behind its snapshot leaves the
   * journal before; any other gap has taken entries with it: a file was deleted, or comes from a backup that the others do not.
   */
  #checkJournals(): void {
    const first = this.#coveredBelow;
    const last = Math.max(first, ...this.#journals);
    const isStartCut = (first === 1 || this.#journals.has(first - 1)) && !this.#journals.has(last);
    if (isStartCut) return;
    for (let sequence = first; sequence <= last; sequence += 1)
      if (!this.#journals.has(sequence)) return this.#reportDamage(JOURNAL, `number ${sequence} of them is missing`);
  }

  /** Hands over the entries of known types; those of a newer version are left out with one warning per file. */
  #read(name: string, take: (entry: Entry) => void): Damage | undefined {
    const unknown = new Map<string, number>();
    const damage = readEntries(join(this.#directory, name), (entry) => {
      if (!Object.hasOwn(KNOWN, entry.t)) {
        unknown.set(entry.t, (unknown.get(entry.t) ?? 0) + 1);
        return;
      }
      const known = entry as Entry;
      if (known.t === "pannier") this.#readHead(known);
      take(known);
    });
    if (unknown.size > 0) {
      this.#log.warn("state_newer_entries", `${name} has entries of a newer pannier; they are left out`, {
        entries: Object.fromEntries(unknown),
        hint: "a newer version ran on this state directory; run it again, or expect that what only it knows is decided anew",
      });
    }
    return damage;
  }

  #readHead(head: HeadEntry): void {
    if (head.format > FORMAT_VERSION) {
      throw new PannierError(
        "state_newer_format",
        `the state directory ${this.#directory} has format ${head.format}, this pannier reads up to ${FORMAT_VERSION}; nothing was read or sent`,
        {
          hint: "a newer pannier wrote it: run that version again, or set state_dir to an empty directory (lines that were sent are then sent again)",
          exitCode: ExitCode.state,
        },
      );
    }
    this.#uuid = head.uuid ?? this.#uuid;
  }

  /** What can be read is used; the damaged file stays beside, for whoever wants to know how that happened. */
  #reportDamage(name: string, what: string): void {
    this.#damaged = true;
    const path = join(this.#directory, name);
    const kept = `${path}.damaged`;
    rmSync(kept, { force: true });
    try {
      linkSync(path, kept);
    } catch {
      // The copy is a courtesy; where it cannot be made (the file is missing, no hard links), the start goes on.
    }
    this.#log.warn(
      "state_damaged",
      `${path} is damaged: ${what}. All other entries are used; lines whose progress was in these are sent again`,
      {
        hint: "disks, power cuts and full volumes do that. Elasticsearch recognises lines that it has; other sinks get those twice",
      },
    );
  }
}

function isDamaged({ damagedLines, readError }: Damage): boolean {
  return damagedLines > 0 || readError !== undefined;
}

function damageText({ damagedLines, readError }: Damage): string {
  return readError === undefined ? `${damagedLines} of its lines are damaged` : `it cannot be read on (${readError})`;
}
