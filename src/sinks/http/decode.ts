import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

/**
 * The body of an answer as it was meant. Compression is not asked for, since answers are small; but some proxies compress all
 * the same, and a server behind one is not to be taken for a stranger. Undefined: an encoding that nobody here knows.
 */
export function decoded(response: IncomingMessage): Readable | undefined {
  const encoding = (response.headers["content-encoding"] ?? "").trim().toLowerCase();
  if (encoding === "" || encoding === "identity") return response;
  const decoder =
    encoding === "gzip" || encoding === "x-gzip"
      ? createGunzip()
      : encoding === "deflate"
        ? createInflate()
        : encoding === "br"
          ? createBrotliDecompress()
          : undefined;
  if (decoder === undefined) return undefined;
  response.once("error", (error) => decoder.destroy(error));
  response.once("close", () => response.complete || decoder.destroy(new Error("the answer ended early")));
  return response.pipe(decoder);
}
