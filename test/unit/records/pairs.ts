/** A JSON value as it is written: members in order and with their duplicates, numbers as their characters. */
export type Written =
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Written])[] }
  | { readonly kind: "array"; readonly items: readonly Written[] }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number" | "literal"; readonly source: string };

const TOKEN = /[ \t\r\n]*(?:("(?:[^"\\]|\\.)*")|([{}[\]:,])|([^ \t\r\n{}[\]:,"]+))/y;

/** Reads valid JSON. */
export function readWritten(text: string): Written {
  TOKEN.lastIndex = 0;
  const next = (): string => {
    const match = TOKEN.exec(text);
    if (match === null) throw new SyntaxError(`no token in ${text}`);
    return match[1] ?? match[2] ?? match[3];
  };
  const list = <Item>(close: string, item: (first: string) => Item): Item[] => {
    const items: Item[] = [];
    let token = next();
    if (token === close) return items;
    for (;;) {
      items.push(item(token));
      if (next() === close) return items;
      token = next();
    }
  };
  const value = (token: string): Written => {
    if (token === "{") {
      const members = list("}", (key) => {
        next();
        return [JSON.parse(key) as string, value(next())] as const;
      });
      return { kind: "object", members };
    }
    if (token === "[") return { kind: "array", items: list("]", value) };
    if (token.startsWith('"')) return { kind: "text", text: JSON.parse(token) as string };
    return { kind: /^[-\d]/.test(token) ? "number" : "literal", source: token };
  };
  return value(next());
}

/** Visits the value and everything in it. */
export function visit(value: Written, see: (value: Written) => void): void {
  see(value);
  if (value.kind === "object") for (const [, member] of value.members) visit(member, see);
  if (value.kind === "array") for (const item of value.items) visit(item, see);
}
