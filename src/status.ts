import { createRequire } from "node:module";
import type { SourceFile } from "./core/source.ts";
import { type FileRecord, noTerms } from "./core/state.ts";
import type { FileCatalogue } from "./files/catalogue.ts";
import { describeLosses } from "./losses.ts";
import type { ConfigStatus } from "./reload.ts";
import type { Shipping } from "./shipping.ts";
import { describeLedger, type Ledger, ledgerOf } from "./state/ledger.ts";

export type AgentState = "starting" | "running" | "draining";

export const VERSION: string = (createRequire(import.meta.url)("../package.json") as { version: string }).version;

interface StatusOf {
  readonly startedAt: string;
  readonly state: AgentState;
  readonly config: ConfigStatus;
  readonly catalogue: FileCatalogue;
  readonly shipping: Shipping;
  /** All that the journal knows. */
  readonly records: Iterable<FileRecord>;
  readonly monotonicMs: number;
}

/** The answer of `GET /status` (contract §5). Its files are described one by one, as they are asked for. */
export function describeStatus(agent: StatusOf): object {
  const { plan, pipelines } = agent.shipping;
  return {
    version: VERSION,
    started_at: agent.startedAt,
    state: agent.state,
    config: agent.config,
    memory: {
      limit_bytes: plan.limitBytes,
      planned_bytes: plan.plannedBytes,
      rss_bytes: process.memoryUsage.rss(),
      pools: Object.fromEntries(plan.lines.map((line) => [line.name, line.bytes])),
    },
    files: describeFiles(agent),
    reclaimed: { files: agent.catalogue.reclaimed.files, bytes: agent.catalogue.reclaimed.bytes },
    sinks: pipelines.map(({ sink, losses }) => {
      const status = sink.status();
      return {
        name: status.name,
        type: status.type,
        state: status.state,
        since: status.since,
        last_error: status.lastError,
        delivered_lines: status.deliveredLines,
        delivered_bytes: status.deliveredBytes,
        retries: status.retries,
        rejected: status.rejected,
        unexpected_conflicts: status.unexpectedConflicts,
        dead_letters: status.deadLetters,
        lost_bytes: losses.lostBytes,
        perhaps_lost_bytes: losses.perhapsLostBytes,
      };
    }),
  };
}

function* describeFiles(agent: StatusOf): Generator<object> {
  const { pipelines, config } = agent.shipping;
  for (const file of agent.catalogue.files) {
    const cursors = pipelines.flatMap((pipeline) => pipeline.cursors.get(file.ordinal) ?? []);
    const ledgers = Object.fromEntries(
      cursors.map((cursor) => [cursor.record.sink, describeLedger(ledgerOf(cursor.record, file.size, cursor.read))]),
    );
    const behind = cursors.toSorted((a, b) => a.record.committed - b.record.committed)[0];
    const ahead = cursors.toSorted((a, b) => b.read - a.read).find(({ format }) => format !== undefined);
    // A reload may have come since the first file was described.
    const format = ahead?.format ?? config.inputs[file.input]?.format ?? null;
    const lagBytes = behind === undefined ? file.size : Math.max(0, file.size - behind.record.committed);
    // What waits is at least as old as the newest of it, and as the last commit behind which there was more.
    const waitsSinceMs = Math.min(file.quietSinceMs, behind?.behindSinceMs ?? Infinity);
    yield {
      path: file.path,
      id: file.record.key,
      status: file.status,
      generation: file.record.generation,
      size: file.size,
      read: Math.max(0, ...cursors.map((cursor) => cursor.read)),
      format,
      dialect: ahead?.dialect ?? null,
      lag_bytes: lagBytes,
      lag_seconds: lagBytes === 0 ? 0 : Math.max(0, Math.round(agent.monotonicMs - waitsSinceMs)) / 1000,
      ledger: behind === undefined ? describeLedger(journaledLedger(file)) : ledgers[behind.record.sink],
      ledgers,
    };
  }
  yield* describeLosses(agent.records, agent.catalogue.files, pipelines);
}

/** While no pipeline has the file, as in the middle of a reload, the journal knows where the last one was. */
function journaledLedger({ record, size }: SourceFile): Ledger {
  const [behind] = [...record.cursors.values()].toSorted((a, b) => a.committed - b.committed);
  if (behind === undefined) return { seen: size, unread: size, inFlight: 0, ...noTerms() };
  return ledgerOf(behind, size, behind.committed);
}
