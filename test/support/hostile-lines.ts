/**
 * Lines that break log pipelines. Each but the white-space ones holds a word of its own, so that its document can be searched
 * for, and says what must be true of the document where the contract says it.
 */
export interface HostileLine {
  readonly name: string;
  readonly bytes: Buffer;
  /** Line end; "" for the last line. */
  readonly end: string;
  /** The word to search for; undefined: the line must be filtered. */
  readonly marker: string | undefined;
  /** Fields that the document must have, exactly; `undefined`: it must not have them. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const MiB = 1024 * 1024;
/** What `max_line_bytes` is by default. */
const KEPT_BYTES = 256 * 1024;
const TIME = '"time":"2026-11-23T01:02:03.004Z"';
const TIMED = { "@timestamp": "2026-11-23T01:02:03.004Z" };
const ASSIGNED = { "event.timestamp_source": "assigned" };

/** Elasticsearch 8 refuses it ("mapper cannot be changed from type [long] to [keyword]"), 9 takes it. */
export const MIXED_ARRAY = "array of mixed types under a new key";

type Case = readonly [
  name: string,
  line: (marker: string) => string | Buffer,
  fields?: Readonly<Record<string, unknown>>,
];

/** A JSON line with the marker in its message and `members` behind. */
function json(members: string): (marker: string) => string {
  return (marker) => `{${TIME},"msg":"${marker}",${members}}`;
}

const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const deepObject = (depth: number): string => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
const digits = (count: number): string => "7".repeat(count);

const CASES: readonly Case[] = [
  ["behind a byte order mark", json(`"first":true`), { ...TIMED, first: true }],
  ["duplicate key", json(`"twice":"early","twice":"late"`), { twice: "late" }],
  ["duplicate key in an object", json(`"in":{"twice":1,"twice":2}`)],
  ["key that is there nested and dotted", json(`"both":{"way":1},"both.way":2`)],
  ["empty key", json(`"":"nothing"`), { "app.empty": "nothing" }],
  ["empty key in an object", json(`"in":{"":"nothing"}`)],
  ["white-space key", json(`"   ":"blank"`)],
  ["_id key", json(`"_id":"mine"`), { "app._id": "mine", _id: undefined }],
  ["_source key", json(`"_source":{"a":1}`), { _source: undefined }],
  ["other metadata keys", json(`"_index":"i","_routing":"r","_ignored":"x","_doc_count":0,"_field_names":[1]`)],
  ["metadata key beside app", json(`"app":5,"_id":"mine"`)],
  ["a key as number", json(`"shape":7`), { shape: 7 }],
  ["the key as text", json(`"shape":"seven"`), { shape: "seven" }],
  ["the key as object", json(`"shape":{"of":"seven"}`)],
  ["the key as array", json(`"shape":[7,"seven",[8]]`), { shape: [7, "seven", [8]] }],
  ["the key as array of objects", json(`"shape":[{"of":1},{"of":"x"}]`)],
  ["the key as boolean", json(`"shape":true`), { shape: true }],
  [MIXED_ARRAY, json(`"mixed":[1,"two",true]`)],
  ["a key as date", json(`"when":"2026-11-23"`), { when: "2026-11-23" }],
  ["that key as no date", json(`"when":"tomorrow"`), { when: "tomorrow" }],
  ["number beyond a double", json(`"big":1e999`), { big: "1e999" }],
  ["number of 2,000 digits", json(`"big":${digits(2000)}`), { big: digits(2000) }],
  ["number of 2,000 digits in an array", json(`"big":[1,${digits(2000)}]`)],
  ["fraction of 2,000 digits", json(`"big":0.${digits(2000)}`), { big: `0.${digits(2000)}` }],
  ["number below a double", json(`"small":1e-999,"zero":-0`)],
  ["lone high surrogate", json(`"text":"a\\ud800b"`)],
  ["lone low surrogate in a key", json(`"k\\udc00":"x"`)],
  ["lone surrogate in the message", (marker) => `{${TIME},"msg":"${marker} \\ud800"}`],
  ["escaped NUL", json(`"nul":"a\\u0000b"`), { nul: "a\u0000b" }],
  ["escaped NUL in a key", json(`"n\\u0000l":1`)],
  ["raw NUL in JSON", (marker) => `{${TIME},"msg":"${marker} \u0000"}`, ASSIGNED],
  ["NUL in text", (marker) => `${marker} \u0000\u0001\u001b[0m end`],
  [
    "invalid UTF-8 in text",
    (marker) => Buffer.concat([Buffer.from(`${marker} `), Buffer.from([0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80])]),
  ],
  [
    "invalid UTF-8 in JSON",
    (marker) =>
      Buffer.concat([Buffer.from(`{${TIME},"msg":"${marker} `), Buffer.from([0xff, 0xfe]), Buffer.from(`"}`)]),
  ],
  [
    "JSON of 10 MB",
    (marker) => `{${TIME},"msg":"${marker}","pad":"${"x".repeat(10 * MiB)}"}`,
    { "log.flags": ["truncated"] },
  ],
  [
    "text of 10 MB",
    (marker) => `${marker} ${"word ".repeat(2 * MiB)}`,
    { "log.flags": ["truncated"], "log.original_bytes": 10 * MiB + 11 },
  ],
  [
    "text just over the limit, cut inside a character",
    (marker) => `${marker} ${"ü".repeat(KEPT_BYTES / 2)}`,
    { "log.flags": ["truncated"] },
  ],
  ["text of one word of 200 KB", (marker) => `${marker} ${"y".repeat(200_000)}`],
  ["field of 200 KB", json(`"long":"${"z".repeat(200_000)}"`)],
  ["nesting of 500", (marker) => `{${TIME},"msg":"${marker}","deep":${deep(500)}}`, ASSIGNED],
  ["nesting of 1,500", (marker) => `{${TIME},"msg":"${marker}","deep":${deepObject(1500)}}`, ASSIGNED],
  ["nesting of 150", (marker) => `{${TIME},"msg":"${marker}","deep":${deepObject(150)}}`],
  ["5,000 keys", json(Array.from({ length: 5000 }, (_, i) => `"key${i}":${i}`).join(",")), { key4999: 4999 }],
  ["key of 60,000 characters", json(`"${"k".repeat(60_000)}":1`)],
  [
    "time of year 1",
    (marker) => `{"time":"0001-01-01T00:00:00Z","msg":"${marker}"}`,
    { ...ASSIGNED, "app.time": "0001-01-01T00:00:00Z" },
  ],
  [
    "time of year 9999",
    (marker) => `{"time":"9999-12-31T23:59:59Z","msg":"${marker}"}`,
    { ...ASSIGNED, "app.time": "9999-12-31T23:59:59Z" },
  ],
  ["time that is no time", (marker) => `{"time":"2026-13-45T99:99:99Z","msg":"${marker}"}`, ASSIGNED],
  ["time as object", (marker) => `{"time":{"s":1},"msg":"${marker}"}`, ASSIGNED],
  ["@timestamp as array", (marker) => `{"@timestamp":["2026-11-23T01:02:03Z"],"msg":"${marker}"}`, ASSIGNED],
  ["@timestamp as null", (marker) => `{"@timestamp":null,"msg":"${marker}"}`, ASSIGNED],
  ["two times", (marker) => `{${TIME},"@timestamp":"garbage","msg":"${marker}"}`],
  ["truncated JSON", (marker) => `{${TIME},"msg":"${marker}","list":[1,2`, ASSIGNED],
  ["JSON with something behind", (marker) => `{${TIME},"msg":"${marker}"} trailing`, ASSIGNED],
  ["two JSON objects on a line", (marker) => `{"msg":"${marker}"}{"msg":"second"}`, ASSIGNED],
  ["keys that begin or end with a dot", json(`".a":1,"b.":2,"c..d":3,".":4,"..":5`)],
  ["keys of JavaScript objects", json(`"__proto__":{"polluted":1},"constructor":"c","hasOwnProperty":1,"toString":2`)],
  [
    "ECS names with other types",
    json(`"log":"text","host":["a"],"event":7,"error":[1],"ecs":"x","tags":{"a":1},"labels":3,"trace":"t"`),
  ],
  ["pannier's own names", json(`"log.offset":"mine","log.file.path":7,"log":{"offset":3,"file":{"path":[]}}`)],
  [
    "names that pannier adds",
    json(`"ecs.version":5,"event.timestamp_source":{"a":1},"log.flags":"x","app.time":1,"app.duplicates":2`),
  ],
  ["message as object", (marker) => `{${TIME},"msg":{"word":"${marker}"}}`],
  ["message as array", (marker) => `{${TIME},"message":["${marker}",1]}`],
  ["a JSON string", (marker) => `"${marker}"`, ASSIGNED],
  ["a JSON array", (marker) => `["${marker}",{"a":1}]`, ASSIGNED],
  ["byte order mark in the middle", (marker) => `\ufeff{${TIME},"msg":"${marker}"}`],
  ["carriage returns inside", (marker) => `${marker} one\rtwo\r`],
  ["line separators of Unicode", json(`"sep":"a\u2028b\u2029c\u0085d"`)],
  ["an action line of _bulk", (marker) => `{"create":{"_index":"other","_id":"${marker}"}} ${marker}`],
  ["unterminated", (marker) => `${marker} has no line end`, { "log.flags": ["unterminated"] }],
];

const WHITE_SPACE = ["", "   ", "\t\t", " \t "];

/** The lines of the hostile file, in order. The file begins with a byte order mark. */
export function hostileLines(): HostileLine[] {
  const lines = CASES.map(([name, line, fields = {}], i): HostileLine => {
    const marker = `hostile${String(i).padStart(3, "0")}`;
    const last = i === CASES.length - 1;
    return { name, bytes: Buffer.from(line(marker)), end: last ? "" : i % 3 === 2 ? "\r\n" : "\n", marker, fields };
  });
  const blanks = WHITE_SPACE.map((text, i): HostileLine => {
    return {
      name: `white space ${i}`,
      bytes: Buffer.from(text),
      end: i % 2 === 0 ? "\n" : "\r\n",
      marker: undefined,
      fields: {},
    };
  });
  return [...lines.slice(0, 5), ...blanks, ...lines.slice(5)];
}

export function hostileFile(lines: readonly HostileLine[]): Buffer {
  return Buffer.concat([
    Buffer.from([0xef, 0xbb, 0xbf]),
    ...lines.flatMap((line) => [line.bytes, Buffer.from(line.end)]),
  ]);
}
