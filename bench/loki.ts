/**
 * What a line costs on its way to Loki, beside Elasticsearch: both sinks over the same file, on one core, in turns.
 * Usage: node bench/loki.ts [LINES [RUNS]]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { writePinoFile } from "./generate.ts";
import { MEASURED_CORE, OTHER_CORE, startPinned } from "./measure.ts";
import { SHIPPED_FLAGS } from "./pannier.ts";
import { startReceiverProcess } from "./receiver-process.ts";
import { median } from "./statistics.ts";

const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const MiB = 1024 ** 2;
const lines = Number(process.argv[2] ?? 1_000_000);
const runs = Number(process.argv[3] ?? 5);

const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-bench-loki-"));
const file = path.join(directory, "app.log");
const bytes = writePinoFile(file, lines);
const elasticsearch = await startReceiverProcess();
const program = fileURLToPath(new URL("loki-receiver.ts", import.meta.url));
const loki = spawn("taskset", ["-c", OTHER_CORE, process.execPath, program], {
  stdio: ["ignore", "pipe", "inherit", "ipc"],
});
const [lokiUrl] = (await once(createInterface(loki.stdout!), "line")) as [string];

const cpu = { elasticsearch: [] as number[], loki: [] as number[] };
const own = { elasticsearch: [] as number[], loki: [] as number[] };
for (let run = 0; run < runs; run++) {
  for (const [name, url] of [
    ["elasticsearch", elasticsearch.url],
    ["loki", lokiUrl],
  ] as const) {
    const state = path.join(directory, `${name}-${run}`);
    const args = ["run", file, "--to", `${name}+${url}`, "--state-dir", state, "--once", "--admin", "off"];
    const usage = await startPinned(MEASURED_CORE, [process.execPath, ...SHIPPED_FLAGS, MAIN, ...args]).ended();
    cpu[name].push(usage.cpuSeconds);
    own[name].push(usage.ownBytes);
    process.stdout.write(
      `${name}: ${usage.cpuSeconds.toFixed(2)} s of processor time, ${(usage.ownBytes / MiB).toFixed(1)} MiB of own memory\n`,
    );
  }
}
loki.send({ ask: "lines" });
const [{ lines: counted }] = (await once(loki, "message")) as [{ lines: number }];
loki.disconnect();
await elasticsearch.stop();
rmSync(directory, { recursive: true, force: true });
if (counted !== lines * runs) throw new Error(`Loki got ${counted} lines instead of ${lines * runs}`);
const ratio = median(cpu.loki) / median(cpu.elasticsearch);
process.stdout.write(
  `median of ${runs}: Elasticsearch ${median(cpu.elasticsearch).toFixed(2)} s, Loki ${median(cpu.loki).toFixed(2)} s, ratio ${ratio.toFixed(2)}; ` +
    `Loki ${((median(cpu.loki) / bytes) * 1e9).toFixed(1)} s per GB, own memory ${(median(own.loki) / MiB).toFixed(1)} MiB\n`,
);
