/** Compares what arrived with what is owed. */
import { messageOf, numberIn } from "./lines.ts";
import { HEADER, type Model, type OwedLine } from "./model.ts";
import type { Arrived } from "./index.ts";

export interface Verdict {
  readonly written: number;
  readonly delivered: number;
  readonly lost: string[];
  readonly doubled: string[];
  readonly torn: string[];
}

/** Documents by the number of their line. */
export function byNumber(documents: Iterable<Arrived>): {
  headers: Arrived[];
  lines: Map<number, Arrived[]>;
  foreign: Arrived[];
} {
  const sorted = { headers: [] as Arrived[], lines: new Map<number, Arrived[]>(), foreign: [] as Arrived[] };
  for (const document of documents) {
    const n = numberIn(document.message);
    if (document.message === HEADER) sorted.headers.push(document);
    else if (n === undefined) sorted.foreign.push(document);
    else sorted.lines.set(n, [...(sorted.lines.get(n) ?? []), document]);
  }
  return sorted;
}

/** Whether the documents of a line are all of it. `whole`: it has its line end, so one document is enough only if it is whole. */
export function isComplete(line: OwedLine, documents: readonly Arrived[] = []): boolean {
  return documents.some((document) => document.message === messageOfOwed(line)) || joined(documents) === line.text;
}

export function verify(model: Model, documents: Iterable<Arrived>): Verdict {
  const { headers, lines, foreign } = byNumber(documents);
  const verdict: Verdict = { written: 0, delivered: 0, lost: [], doubled: [], torn: [] };
  const totals = { written: model.lines.length + model.headers.length, delivered: headers.length };
  for (const document of foreign) verdict.torn.push(`no line of ours: ${show(document)}`);
  const mustHeaders = model.headers.filter((header) => header.must).length;
  if (headers.length < mustHeaders) verdict.lost.push(`${mustHeaders - headers.length} of ${mustHeaders} headers`);
  if (headers.length > model.headers.length)
    verdict.doubled.push(`${headers.length - model.headers.length} headers: ${headers.map(show).join(" ")}`);
  for (const line of model.lines) {
    const found = lines.get(line.n) ?? [];
    lines.delete(line.n);
    if (found.length > 0) totals.delivered++;
    judge(line, found, verdict);
  }
  for (const [n, found] of lines) verdict.torn.push(`line ${n} was never written: ${found.map(show).join(" ")}`);
  return { ...verdict, ...totals };
}

function judge(line: OwedLine, found: readonly Arrived[], verdict: Verdict): void {
  if (found.length === 0) {
    if (line.must) verdict.lost.push(`line ${line.n}`);
    return;
  }
  const whole = found.filter(({ message, flags }) => flags.length === 0 && message === messageOfOwed(line));
  if (whole.length > 0) {
    if (found.length > 1) verdict.doubled.push(`line ${line.n}: ${found.map(show).join(" ")}`);
    return;
  }
  const pieces = found.toSorted((a, b) => a.offset - b.offset);
  if (!line.mayBeInPieces || !pieces.every(({ flags }) => flags.length > 0))
    verdict.torn.push(`line ${line.n}: ${pieces.map(show).join(" ")}`);
  else if (new Set(pieces.map(({ offset, path }) => `${offset} ${path}`)).size < pieces.length)
    verdict.doubled.push(`pieces of line ${line.n}: ${pieces.map(show).join(" ")}`);
  else if (line.must && joined(pieces) !== line.text)
    verdict.lost.push(`pieces of line ${line.n}: ${pieces.map(show).join(" ")}`);
}

function joined(documents: readonly Arrived[]): string {
  return documents
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ message }) => message)
    .join("");
}

/** A line that never got its end may be no valid JSON; it then stands as it is. */
function messageOfOwed(line: OwedLine): string {
  try {
    return messageOf(line.text);
  } catch {
    return line.text;
  }
}

function show({ id, message, flags, path, offset }: Arrived): string {
  const text = message.length > 60 ? `${message.slice(0, 30)}…${message.slice(-20)}` : message;
  return `[${path.slice(path.lastIndexOf("/", path.lastIndexOf("/") - 1))}@${offset} ${text} ${flags.join("+")} ${id}]`;
}
