import type { Logger } from "pino";

const CUSTOMERS = ["ada", "björn", "chidi", "dunja", "elif", "farid", "grażyna", "hana"];
const WAREHOUSES = ["BER-1", "LYS-2", "GDN-1"];
const LEVELS = [
  { level: "debug", share: 0.06, text: "cache miss for price list" },
  { level: "warn", share: 0.05, text: "stock is low" },
  { level: "error", share: 0.01, text: "payment failed" },
] as const;

class PaymentDeclined extends Error {
  override readonly name = "PaymentDeclined";
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)];
}

/** An amount of money with a long tail, as orders have it. */
function amount(): number {
  return Math.round(500 + 2_500 * -Math.log(1 - Math.random())) / 100;
}

/** Logs what an order service would say about its next order, under the sequence number by which the demo counts. */
export function logOrder(logger: Logger, seq: number): void {
  const order = {
    seq,
    order_id: `ord-${String(seq).padStart(8, "0")}`,
    customer: pick(CUSTOMERS),
    warehouse: pick(WAREHOUSES),
    items: 1 + Math.floor(Math.random() * 5),
    amount: amount(),
    currency: "EUR",
    duration_ms: Math.round(40 + 60 * -Math.log(1 - Math.random())) / 10,
  };
  let chance = Math.random();
  for (const { level, share, text } of LEVELS) {
    if (chance < share) {
      const err = level === "error" ? new PaymentDeclined(`card of ${order.customer} was declined`) : undefined;
      logger[level]({ ...order, ...(err !== undefined && { err }) }, text);
      return;
    }
    chance -= share;
  }
  logger.info(order, "order placed");
}
