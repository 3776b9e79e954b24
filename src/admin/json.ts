import { ANSWER_PIECE_CHARS } from "../core/limits.ts";

/**
 * An object as JSON, in pieces. Members that are iterable but no array are lists whose items are asked for one by one: that of
 * 10,000 files would take 20 MiB as a whole, and hold up the loop for as long as it takes to make.
 */
export function* jsonPieces(body: object): Generator<string, undefined> {
  let text = "{";
  let isFirst = true;
  for (const [name, value] of Object.entries(body) as [string, unknown][]) {
    if (value === undefined) continue;
    text += `${isFirst ? "" : ","}${JSON.stringify(name)}:`;
    isFirst = false;
    if (!isLazy(value)) {
      text += JSON.stringify(value);
      continue;
    }
    let before = "[";
    for (const item of value) {
      text += `${before}${JSON.stringify(item)}`;
      before = ",";
      if (text.length < ANSWER_PIECE_CHARS) continue;
      yield text;
      text = "";
    }
    text += before === "[" ? "[]" : "]";
  }
  yield `${text}}\n`;
}

function isLazy(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Symbol.iterator in value;
}
