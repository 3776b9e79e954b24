import type { Compressor } from "../../core/sink.ts";
import type { Exchange } from "../exchange.ts";
import type { Body } from "./carrier.ts";

/** The body of an exchange, or a part of it, ready to leave; without a compressor, or where it gets no smaller, as it is. */
export async function gzipped(
  compressor: Compressor | undefined,
  exchange: Exchange,
  { from, to }: { readonly from: number; readonly to: number } = exchange,
): Promise<Body> {
  const packed = await compressor?.compress(exchange.buffer, from, to);
  await exchange.leaving();
  if (packed === undefined) return { bytes: exchange.buffer.subarray(from, to) };
  return { bytes: packed, headers: { "content-encoding": "gzip" } };
}
