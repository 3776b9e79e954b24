import type nodeHttp from "node:http";
import type nodeHttps from "node:https";
import type nodeUtil from "node:util";

/**
 * Node's own modules that must not be imported by name. An `import` of a built-in module evaluates every export, lazy getters
 * included: that of `node:http` loads the whole of `fetch` and takes 7 MiB of own memory and 15 MiB resident (Node 22, 24 and
 * 26 alike), `node:util` and `node:process` about 1 MiB each. Asked for like this, they cost what is used of them.
 */
export const http: typeof nodeHttp = process.getBuiltinModule("node:http");

/** Loaded with TLS, 3 MiB, and only for those who use it. */
export function loadHttps(): typeof nodeHttps {
  return process.getBuiltinModule("node:https");
}

/** See `http`. */
export const { promisify, parseArgs }: typeof nodeUtil = process.getBuiltinModule("node:util");
