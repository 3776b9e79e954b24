/** Counts what is pushed to it. Prints its URL; answers `{"ask":"lines"}` of its parent. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { unsnappy, readPush } from "../test/support/loki-push.ts";

let lines = 0;
const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.writeHead(204).end();
    for (const { entries } of readPush(unsnappy(Buffer.concat(chunks)))) lines += entries.length;
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on("message", () => process.send?.({ lines }));
process.on("disconnect", () => process.exit());
