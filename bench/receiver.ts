/**
 * The counting receiver as a process of its own, so that it can be pinned to another core. It is driven over Node's IPC:
 * `{ask: "stats"}`, `{ask: "compare", count}`, `{ask: "down", forMs}`.
 * Usage: node bench/receiver.ts [--port N] [--ids] [--sequences] [--record FILE]
 */
import { parseArgs } from "node:util";
import { startReceiver } from "../test/support/receiver.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    ids: { type: "boolean", default: false },
    sequences: { type: "boolean", default: false },
    record: { type: "string" },
  },
});

const receiver = await startReceiver({
  port: Number(values.port),
  ids: values.ids,
  sequences: values.sequences,
  ...(values.record === undefined ? {} : { recordPath: values.record }),
});

process.on("message", (message: { ask: string; count?: number; forMs?: number }) => {
  if (message.ask === "stats") process.send?.({ answer: receiver.stats() });
  if (message.ask === "compare") process.send?.({ answer: receiver.sequences.compare(message.count ?? 0) });
  if (message.ask === "down") void receiver.goDown(message.forMs ?? 0).then(() => process.send?.({ answer: "up" }));
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));

process.stdout.write(`${receiver.url}\n`);
