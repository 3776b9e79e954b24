const MASK = "[redacted]";
/** A secret shorter than this is replaced as a whole word only: letter by letter it would make every message unreadable. */
const SHORT = 4;

/** A string of a JSON text, and the colon behind it when it is a key. */
const STRINGS = /"(?:[^"\\]|\\.)*"(\s*:)?/g;
const USERINFO = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"]*@/gi;
const AUTHORIZATION = /\b(authorization\b[\\"']*\s*[:=]\s*[\\"']*)[^"'\\,}]+/gi;
/** A whole escape of JSON. */
const ESCAPE = String.raw`\\(?:u[\da-fA-F]{4}|.)`;

/**
 * Makes a function that masks secrets in a line of JSON: the registered values as they are, as JSON escapes them and as URLs
 * encode them, the user part of URLs, and Authorization headers. Only string values are touched, so the line stays JSON
 * whatever a password looks like.
 */
export function createRedactor(secrets: () => readonly string[]): (json: string) => string {
  // The values are asked for each time, because a credential file may be read again; the pattern is built only when they change.
  let known = "";
  let pattern: RegExp | undefined;
  return (json) => {
    const values = secrets();
    const key = JSON.stringify(values);
    if (key !== known) {
      known = key;
      pattern = patternOf(values);
    }
    return json.replace(STRINGS, (text, colon: string | undefined) => {
      if (colon !== undefined) return text;
      const inner = text.slice(1, -1);
      const masked = pattern === undefined ? inner : inner.replace(pattern, (_, escape?: string) => escape ?? MASK);
      return `"${masked.replace(AUTHORIZATION, `$1${MASK}`).replace(USERINFO, `$1${MASK}@`)}"`;
    });
  };
}

/**
 * One alternation, longest first, so that a secret that contains another is masked whole. It also takes escapes, in a group of
 * their own: a secret "nature" must not be found in the middle of `\nature`, a line end and a harmless word.
 */
function patternOf(secrets: readonly string[]): RegExp | undefined {
  const forms = new Set(secrets.filter((secret) => secret !== "").flatMap(formsOf));
  if (forms.size === 0) return undefined;
  const alternatives = [...forms]
    .toSorted((a, b) => b.length - a.length)
    .map((form) => {
      const literal = form.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
      return form.length < SHORT ? String.raw`(?<![\p{L}\p{N}_])${literal}(?![\p{L}\p{N}_])` : literal;
    });
  return new RegExp(`${alternatives.join("|")}|(${ESCAPE})`, "gu");
}

/** A secret as it can stand in a JSON string. */
function formsOf(secret: string): string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  try {
    return [escaped, encodeURIComponent(secret)];
  } catch {
    // Half a surrogate pair cannot be in a URL.
    return [escaped];
  }
}
