/**
 * Takes what is pushed to it, and counts the lines when its parent asks with `{"ask":"lines"}`: what it does in the meantime would
 * slow down what is measured. Prints its URL.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { unsnappy, readPush } from "../test/support/loki-push.ts";

const pushes: Buffer[] = [];
const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.writeHead(204).end();
    pushes.push(Buffer.concat(chunks));
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on("message", () => {
  let lines = 0;
  const taken = pushes.splice(0);
  for (const push of taken) for (const { entries } of readPush(unsnappy(push))) lines += entries.length;
  process.send?.({ lines, pushes: taken.length });
});
process.on("disconnect", () => process.exit());
