/** What one item of a `_bulk` answer says. One object, used for all. */
export interface AnswerItem {
  status: number;
  /** Type of the error; "" when there is none. */
  type: string;
  /** The index that the item or its error names; "" when none is named. */
  index: string;
  /** The document went into the failure store. */
  inFailureStore: boolean;
  /** The server's reason, cut; made only when it is asked for. */
  reason(): string;
}

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const COMMA = 0x2c;
export const COLON = 0x3a;

/** What may come next. */
export const State = {
  value: 0,
  keyOrEnd: 1,
  key: 2,
  colon: 3,
  valueOrEnd: 4,
  commaOrEnd: 5,
  string: 6,
  scalar: 7,
  end: 8,
  broken: 9,
} as const;

/** Depth of what matters: {"items":[{"create":{"error":{…}}}]}. */
export const Depth = { root: 1, items: 2, item: 3, action: 4, error: 5 } as const;

/** Members that are read; the number stands for the name. */
export const Member = {
  other: 0,
  items: 1,
  status: 2,
  index: 3,
  failureStore: 4,
  error: 5,
  type: 6,
  reason: 7,
} as const;
export const MEMBERS: readonly Readonly<Record<string, number>>[] = [
  {},
  { items: Member.items },
  {},
  {},
  { status: Member.status, _index: Member.index, failure_store: Member.failureStore, error: Member.error },
  { type: Member.type, reason: Member.reason, index: Member.index },
];

/** The text behind escaped bytes, which may be cut. */
export function decodeText(bytes: Buffer, length: number): string {
  const raw = bytes.toString("utf8", 0, length).replace(/(?<!\\)((?:\\\\)*)\\(?:u[\da-fA-F]{0,3})?$/, "$1");
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return raw;
  }
}
