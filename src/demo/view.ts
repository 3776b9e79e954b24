import { stripVTControlCharacters } from "node:util";
import { formatSize } from "../core/units.ts";
import type { Document } from "./documents.ts";
import { type Numbers, formatNumbers } from "./tally.ts";

/** What the view shows besides the numbers. */
export interface Scene {
  readonly service: string;
  readonly agent: string;
  readonly receiver: string;
}

/** Shows the demo. */
export interface View {
  /** A record arrived. */
  record(document: Document): void;
  /** Something happened that the numbers do not say. */
  say(text: string): void;
  numbers(numbers: Numbers, scene: Scene): void;
}

/** Writes one line per call on stdout, and what happens on stderr. */
export function plainView(out: NodeJS.WritableStream, errors: NodeJS.WritableStream): View {
  return {
    record: () => {},
    say: (text) => void errors.write(`${text}\n`),
    numbers: (numbers) => void out.write(`${formatNumbers(numbers)}\n`),
  };
}

const RECORDS_SHOWN = 8;
const EVENTS_SHOWN = 4;
/** A batch brings a thousand records at once: one of this many is shown, and every error, so that the picture moves. */
const RECORDS_PER_SHOWN = 97;
const BOLD = "\u001B[1m";
const DIM = "\u001B[2m";
const GREEN = "\u001B[32m";
const YELLOW = "\u001B[33m";
const RED = "\u001B[31m";
const RESET = "\u001B[0m";
const LEVEL_COLOURS: Readonly<Record<string, string>> = { debug: DIM, warn: YELLOW, error: RED };

/** A few lines that are rewritten in place. */
export function liveView(out: NodeJS.WriteStream): View {
  const records: Document[] = [];
  const events: string[] = [];
  let drawn = 0;
  let seen = 0;
  return {
    record(document) {
      if (seen++ % RECORDS_PER_SHOWN !== 0 && document["log.level"] !== "error") return;
      records.push(document);
      if (records.length > RECORDS_SHOWN) records.shift();
    },
    say(text) {
      events.push(text);
      if (events.length > EVENTS_SHOWN) events.shift();
    },
    numbers(numbers, scene) {
      const lines = draw(numbers, scene, records, events).map((line) => cut(line, out.columns));
      const back = drawn === 0 ? "" : `\u001B[${drawn}F\u001B[J`;
      out.write(`${back}${lines.join("\n")}\n`);
      drawn = lines.length;
    },
  };
}

function draw(numbers: Numbers, scene: Scene, records: readonly Document[], events: readonly string[]): string[] {
  const wrong = (count: number): string => `${count === 0 ? GREEN : RED}${count}${RESET}`;
  return [
    `${BOLD}pannier demo${RESET}  a service logs to a rotating file, the agent ships it, a built-in receiver counts`,
    "",
    `  order-service  ${scene.service}`,
    `  agent          ${scene.agent}`,
    `  receiver       ${scene.receiver}`,
    "",
    ...records.map(recordLine),
    "",
    ...events.map((event) => `  ${YELLOW}${event}${RESET}`),
    ...(events.length === 0 ? [] : [""]),
    `  written ${BOLD}${numbers.written}${RESET}  delivered ${BOLD}${numbers.delivered}${RESET}  lag ${numbers.lagMs} ms` +
      `  lost ${wrong(numbers.lost)}  doubled ${wrong(numbers.doubled)}`,
  ];
}

function recordLine(document: Document): string {
  const text = (key: string): string => {
    const value = document[key];
    return typeof value === "string" ? value : typeof value === "number" ? value.toFixed(2) : "";
  };
  const level = text("log.level");
  const time = text("@timestamp").slice(11, 23);
  const order = `${text("order_id")}  ${text("amount")} ${text("currency")}  ${text("customer")}  ${text("duration_ms")} ms`;
  return `  ${DIM}${time}${RESET} ${LEVEL_COLOURS[level] ?? ""}${level.padEnd(5)}${RESET} ${text("message").padEnd(28)} ${order}`;
}

/** Cuts a line to the width of the terminal; a wrapped line would break the rewriting. */
function cut(line: string, columns: number): string {
  const visible = stripVTControlCharacters(line);
  return visible.length <= columns ? line : visible.slice(0, columns);
}

/** `12 requests, 3.4MiB, 0 repeated records`. */
export function describeReceiver(stats: { requests: number; bytes: number; conflicts: number }): string {
  return `${stats.requests} requests, ${formatSize(stats.bytes)} received, ${stats.conflicts} repeated records answered with 409`;
}
