/** Records that nobody takes for a long time share one batch, so that the others go on (design: slots that hold only retries merge). */
import * as fc from "fast-check";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { BatchPool } from "../../../src/batches/pool.ts";
import { type Batch, Outcome } from "../../../src/core/batch.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Segment } from "../../../src/core/segment.ts";
import type { SinkStatus } from "../../../src/core/sink.ts";
import type { SourceFile } from "../../../src/core/source.ts";
import { type Commit, type FileRecord, noTerms, type StateStore } from "../../../src/core/state.ts";
import { Cursor } from "../../../src/pipeline/cursor.ts";
import { Shipper } from "../../../src/pipeline/shipper.ts";
import { seededRandom } from "../../support/random.ts";
import { MemoryLog, TestSource, configOf, record, sinkOf, writeRecord } from "./helpers.ts";
import { Rig, until } from "./rig.ts";
import { type Seen, bulkAnswer } from "./server.ts";
import { cursorRecord } from "../../support/cursor-record.ts";

const rig = Rig.use();
const POISON = '{"create":{"status":500,"error":{"type":"illegal_state_exception","reason":"cannot cope"}}}';
const BUSY = '{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}';
const REFUSED = '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"bad"}}}';
const TIMES = { backoffFirstMs: 1, backoffMaxMs: 5, poisonTries: 10, poisonAfterMs: 30_000 };
/** Bytes of every record in its file. */
const LENGTH = 10;

/** Finds a record by its place, whatever batch it stands in. */
class PlacedSource extends TestSource {
  override id(batch: Batch, i: number): string {
    const { file } = batch.segments[batch.segmentOf[i]];
    return `${file.path}-${batch.from[i] / LENGTH}`;
  }

  override encodeAsText(batch: Batch, i: number, reason: string, out: Buffer, at: number): number {
    return writeRecord(out, at, this.id(batch, i), { "error.message": reason, tags: ["refused"] });
  }

  override maxTextBytes(): number {
    return 4_096;
  }
}

/** One sink with its batches, and a journal that checks every commit. */
class Line {
  readonly cursors: Cursor[];
  readonly shipper: Shipper;
  readonly pool: BatchPool;
  readonly source = new PlacedSource([]);
  readonly status: () => SinkStatus;
  /** Commits that were not true. */
  readonly wrong: string[] = [];

  constructor(files: number, inFlight: number, batchBytes = 1 << 16) {
    this.cursors = Array.from({ length: files }, (_, ordinal) => cursorOf(ordinal));
    this.pool = new BatchPool(inFlight + 1, batchBytes);
    const config = configOf([rig.url], { batch: { maxBytes: batchBytes, maxAgeMs: 1, inFlight, compression: "none" } });
    const { sink } = sinkOf(config, [], TIMES, this.source);
    this.status = () => sink.status();
    const state = {
      noteSize: () => {},
      commit: (commits: readonly Commit[]) => commits.forEach((commit) => this.#commit(commit)),
    } as unknown as StateStore;
    this.shipper = new Shipper({
      sink,
      state,
      pool: this.pool,
      clock: systemClock,
      log: new MemoryLog(),
      onRoom: () => {},
    });
    onTestFinished(() => this.shipper.stop());
  }

  #commit({ file, cursor, committed, terms }: Commit): void {
    const sum = terms.delivered + terms.filtered + terms.deadLettered + terms.cut + terms.lost;
    if (sum !== committed - cursor.committed) this.wrong.push(`${sum} bytes up to ${committed}`);
    for (let at = cursor.committed; at < committed; at += LENGTH)
      if (!rig.server.stored.has(`${file.path}-${at / LENGTH}`))
        this.wrong.push(`${file.path}-${at / LENGTH} is not stored`);
    cursor.committed = committed;
    cursor.delivered += terms.delivered;
  }

  /** Ships the next records of these files as one batch, as soon as a batch is free. */
  async ship(counts: readonly number[]): Promise<void> {
    let batch: Batch | undefined;
    for (; batch === undefined; batch = this.pool.take()) await sleep(1);
    const used = this.cursors.filter((_, i) => (counts[i] ?? 0) > 0);
    for (const [index, cursor] of used.entries()) {
      const count = counts[this.cursors.indexOf(cursor)];
      const segment: Segment = {
        file: cursor.file,
        from: cursor.read,
        to: cursor.read + count * LENGTH,
        tail: Buffer.alloc(0),
        lastTime: "",
        terms: noTerms(),
        settled: false,
      };
      batch.segments.push(segment);
      cursor.uncommitted.push(segment);
      for (let i = 0; i < count; i++) this.#write(batch, index, cursor);
    }
    this.shipper.ship(batch, used);
  }

  #write(batch: Batch, segment: number, cursor: Cursor): void {
    const i = batch.count++;
    const id = `${cursor.file.path}-${cursor.read / LENGTH}`;
    batch.segmentOf[i] = segment;
    batch.flags[i] = 0;
    batch.cut[i] = 0;
    batch.outcome[i] = Outcome.pending;
    batch.from[i] = cursor.read;
    cursor.read += LENGTH;
    batch.to[i] = cursor.read;
    batch.starts[i] = batch.length;
    batch.length = writeRecord(batch.buffer, batch.length, id, record(id).document);
    batch.ends[i] = batch.length;
  }

  get isCommitted(): boolean {
    return this.cursors.every((cursor) => cursor.record.committed === cursor.read);
  }
}

function cursorOf(ordinal: number): Cursor {
  const path = `f${ordinal}`;
  const file = { ordinal, path, size: 1e9, record: { uid: ordinal, path, seenMtimeMs: 0 } as unknown as FileRecord };
  return new Cursor(file as unknown as SourceFile, cursorRecord());
}

function answering(itemOf: (id: string, document: Readonly<Record<string, unknown>>) => string | undefined) {
  return (seen: Seen) =>
    bulkAnswer(seen.ids.map((id, i) => itemOf(id, seen.documents[i]) ?? rig.server.storeOne(id, seen.documents[i])));
}

describe.each([1, 2])("%i request(s) in flight", (inFlight) => {
  test.each([
    ["errors that nobody knows", POISON],
    ["no room for them", BUSY],
  ])("records in every batch that fail again and again (%s) hold up none of the others", async (_what, item) => {
    let broken = true;
    rig.server.always = answering((id) => (broken && /-\d*7$/.test(id) ? item : undefined));
    const line = new Line(2, inFlight);
    for (let i = 0; i < 20; i++) await line.ship([10, i % 3]);
    const fine = line.cursors.reduce(
      (sum, { read }) => sum + Array.from({ length: read / LENGTH }, (_, n) => n % 10).filter((n) => n !== 7).length,
      0,
    );
    await until(() => rig.server.stored.size === fine);
    expect(line.cursors[0].record.committed).toBe(0);
    expect(line.cursors[0].uncommitted.length).toBeLessThanOrEqual(45);
    broken = false;
    await until(() => line.isCommitted);
    expect(line.wrong).toEqual([]);
    expect(line.cursors[0].record.delivered).toBe(2_000);
    expect(line.cursors[0].uncommitted).toEqual([]);
  });

  test.each([
    ["a firewall", 403],
    ["a proxy that falls over them", 500],
  ])(
    "records that keep their whole request from getting through (%s) hold up none of the others",
    async (_what, status) => {
      let guarded = true;
      rig.server.always = (seen) =>
        guarded && seen.ids.some((id) => id.endsWith("7")) ? { status, body: "<html>no</html>" } : undefined;
      const line = new Line(2, inFlight);
      for (let i = 0; i < 8; i++) await line.ship([10, i % 3]);
      const fine = line.cursors.flatMap(({ read }) => Array.from({ length: read / LENGTH }, (_, n) => n % 10));
      await until(() => rig.server.stored.size === fine.filter((n) => n !== 7).length);
      guarded = false;
      await until(() => line.isCommitted);
      expect(line.wrong).toEqual([]);
    },
  );

  test.each([
    ["no room for it", false],
    ["connections that break for it", true],
  ])(
    "records that are refused, and whose text nobody takes (%s), hold up none of the others",
    async (_what, breaks) => {
      let broken = true;
      rig.server.always = (seen, response) => {
        if (broken && breaks && seen.documents.some((document) => "tags" in document)) {
          response.destroy();
          return "taken";
        }
        return answering((id, document) => {
          if ("tags" in document) return broken ? BUSY : undefined;
          return id.endsWith("7") ? REFUSED : undefined;
        })(seen);
      };
      const line = new Line(2, inFlight);
      for (let i = 0; i < 8; i++) await line.ship([10, i % 3]);
      const fine = line.cursors.flatMap(({ read }) => Array.from({ length: read / LENGTH }, (_, n) => n % 10));
      await until(() => rig.server.stored.size === fine.filter((n) => n !== 7).length);
      expect(line.cursors[0].record.committed).toBe(0);
      // It is one refusal of each, however often they are tried.
      const refused = fine.filter((n) => n === 7).length;
      await until(() => line.status().rejected === refused);
      await sleep(100);
      expect(line.status().rejected).toBe(refused);
      broken = false;
      await until(() => line.isCommitted);
      expect(line.wrong).toEqual([]);
    },
  );

  test("ids that are taken, and that nobody can be asked about, hold up none of the others", async () => {
    let broken = true;
    rig.server.controls.push((_method, path) => (broken && path === "/_mget" ? { status: 503, body: "" } : undefined));
    const line = new Line(2, inFlight);
    for (let n = 0; n < 80; n++) if (n % 10 === 7) rig.server.stored.set(`f0-${n}`, record(`f0-${n}`).document);
    for (let i = 0; i < 8; i++) await line.ship([10, i % 3]);
    const total = line.cursors.reduce((sum, { read }) => sum + read / LENGTH, 0);
    await until(() => rig.server.stored.size === total);
    await until(() => line.cursors[0].uncommitted.length <= 17);
    expect(line.cursors[0].record.committed).toBe(0);
    // The server has stored the last batch before its answer is read.
    await until(() => line.status().unexpectedConflicts === 8);
    broken = false;
    await until(() => line.isCommitted);
    expect(line.wrong).toEqual([]);
    expect(line.status().unexpectedConflicts).toBe(8);
  });

  test("one record that is too much for the server for ever holds up none of the others", async () => {
    const big = "f0-3";
    rig.server.always = (seen) => {
      if (!seen.ids.includes(big)) return undefined;
      return {
        status: 429,
        body: '{"error":{"type":"es_rejected_execution_exception","reason":"too much"},"status":429}',
      };
    };
    const line = new Line(1, inFlight);
    for (let i = 0; i < 6; i++) await line.ship([10]);
    await until(() => rig.server.stored.size === 59);
    expect(line.cursors[0].record.committed).toBe(0);
    rig.server.always = undefined;
    await until(() => line.isCommitted);
  });
});

test("whatever fails, and however it moves, every record is stored once and every commit is true (invariant 1)", async () => {
  const batches = fc.array(fc.tuple(fc.nat(12), fc.nat(12), fc.nat(3)), { minLength: 1, maxLength: 25 });
  const faults = fc.record({ poison: fc.nat(30), busy: fc.nat(30), refused: fc.nat(10), whole: fc.nat(20) });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      batches,
      faults,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 12, max: 16 }),
      async (plan, chances, inFlight, size) => {
        rig.server.stored.clear();
        const random = seededRandom(++run);
        const failures = new Map<string, { item: string; left: number; ofText: number }>();
        rig.server.always = (seen) => {
          if (random.next() * 100 < chances.whole) return { status: random.next() < 0.5 ? 429 : 503, body: "{}" };
          return answering((id, document) => {
            let failure = failures.get(id);
            if (failure === undefined) {
              const dice = random.next() * 100;
              const item = dice < chances.poison ? POISON : dice < chances.poison + chances.busy ? BUSY : REFUSED;
              const left = dice < chances.poison + chances.busy + chances.refused ? Math.ceil(random.next() * 12) : 0;
              // What is refused stays refused; its text has no room for a while, so that it steps aside and comes back.
              const ofText = random.next() < 0.5 ? 0 : Math.ceil(random.next() * 12);
              failures.set(id, (failure = { item, left: item === REFUSED && left > 0 ? Infinity : left, ofText }));
            }
            if ("tags" in document) return failure.ofText-- > 0 ? BUSY : undefined;
            return failure.left-- > 0 ? failure.item : undefined;
          })(seen);
        };
        const line = new Line(3, inFlight, 1 << size);
        for (const counts of plan) await line.ship(counts);
        await until(() => line.isCommitted);
        await line.shipper.stop();
        expect(line.wrong).toEqual([]);
        const total = line.cursors.reduce((sum, { read }) => sum + read / LENGTH, 0);
        expect(rig.server.stored.size).toBe(total);
        for (const { uncommitted, record: cursor, read } of line.cursors) {
          expect(uncommitted).toEqual([]);
          expect(cursor.delivered).toBe(read);
        }
      },
    ),
    { numRuns: 40 },
  );
});
