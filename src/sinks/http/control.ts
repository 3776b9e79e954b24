import type { IncomingHttpHeaders } from "node:http";
import { CONTROL_BODY_MAX_BYTES } from "../../core/delivery-limits.ts";
import type { Body, Carrier, Transfer } from "./carrier.ts";
import { ErrorBody } from "./error-body.ts";
import type { Node } from "./nodes.ts";

/** The answer to a call that is about the destination and carries no records. */
export interface Control {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly origin: string;
  /** The parsed body; undefined when it is no JSON or too large. */
  readonly json: unknown;
  /** Of an error. */
  readonly type: string;
  readonly reason: string;
}

/** Makes a call with a small JSON body and reads a small JSON answer. */
export async function callControl(
  carrier: Carrier,
  call: {
    readonly method: string;
    readonly path: string;
    readonly body?: unknown;
    readonly node?: Node;
    readonly headers?: Readonly<Record<string, string>>;
  },
  signal: AbortSignal,
): Promise<Control | Extract<Transfer, { kind: "failed" }>> {
  const collected = new ErrorBody(CONTROL_BODY_MAX_BYTES);
  const { body } = call;
  const transfer = await carrier.send(
    {
      method: call.method,
      path: call.path,
      ...(body === undefined ? {} : { body: () => Promise.resolve(jsonBody(body)) }),
      headers: call.headers ?? {},
    },
    () => (chunk) => collected.write(chunk),
    signal,
    call.node,
  );
  if (transfer.kind === "failed") return transfer;
  const { status, headers, origin } = transfer;
  const { type = "", reason } = collected.error();
  return { status, headers, origin, json: collected.json(), type, reason: carrier.credentials.redact(reason) };
}

function jsonBody(value: unknown): Body {
  return { bytes: Buffer.from(JSON.stringify(value)), headers: { "content-type": "application/json" } };
}

/** A member of something that may be no object. */
export function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
