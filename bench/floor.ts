/**
 * The floor: what any agent in Node has to pay. It reads the file in 256 KiB reads and, for each batch of input bytes, gzips
 * and POSTs a request body that was recorded from pannier for this input. It parses, hashes and remembers nothing.
 * Usage: node bench/floor.ts FILE URL BODY LINE_BYTES
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import type { RecordedRequest } from "../test/support/receiver.ts";

const READ_BYTES = 256 * 1024;
const IN_FLIGHT = 2;
const GZIP = { level: 1, chunkSize: 1 << 20, memLevel: 9 };
const NEWLINE = 10;

const [file, url, bodyPath, lineBytes] = process.argv.slice(2);
if (lineBytes === undefined) {
  process.stderr.write("usage: node bench/floor.ts FILE URL BODY LINE_BYTES\n");
  process.exit(64);
}
const body = readFileSync(bodyPath);
const recorded = JSON.parse(readFileSync(`${bodyPath}.json`, "utf8")) as RecordedRequest;
const batchInputBytes = recorded.documents * Number(lineBytes);
const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });

function post(payload: Buffer): Promise<void> {
  const compressed = gzipSync(payload, GZIP);
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": recorded.contentType,
      "content-encoding": "gzip",
      "content-length": compressed.length,
    };
    const sent = request(`${url}${recorded.path}`, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", resolve);
    });
    sent.on("error", reject);
    sent.end(compressed);
  });
}

/** The first documents of the body: an action line and a document line each. */
function firstDocuments(count: number): Buffer {
  let end = 0;
  for (let line = 0; line < 2 * count; line++) end = body.indexOf(NEWLINE, end) + 1;
  return body.subarray(0, end);
}

const fd = openSync(file, "r");
const chunk = Buffer.allocUnsafeSlow(READ_BYTES);
const inFlight = new Set<Promise<void>>();
let pendingBytes = 0;

async function ship(payload: Buffer): Promise<void> {
  const posted = post(payload).finally(() => inFlight.delete(posted));
  inFlight.add(posted);
  if (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight);
}

for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) {
  pendingBytes += read;
  while (pendingBytes >= batchInputBytes) {
    pendingBytes -= batchInputBytes;
    await ship(body);
  }
}
const rest = Math.round(pendingBytes / Number(lineBytes));
if (rest > 0) await ship(firstDocuments(rest));
await Promise.all(inFlight);
agent.destroy();
closeSync(fd);
