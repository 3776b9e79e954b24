import { ExitCode, PannierError } from "../core/errors.ts";
import { suggest } from "./nearest.ts";
import { escape } from "./variables.ts";

const TYPES = ["elasticsearch", "loki", "splunk"];

/** A sink as the file would say it. */
export type RawSink = Record<string, unknown>;

const OPTIONS = ["api_key_file", "bearer_file", "password_file", "ca_file", "index"];
const LOKI_OPTIONS = ["bearer_file", "password_file", "ca_file", "tenant"];
const SPLUNK_OPTIONS = ["token_file", "bearer_file", "password_file", "ca_file", "index", "sourcetype"];
const LABEL = "label.";

/** A sink from the URL of `--to`: `elasticsearch+https://user@host:9200/DATA-STREAM?password_file=…`, `loki+…`, `splunk+…` or `stdout:`. */
export function parseDestination(text: string): RawSink {
  if (text === "stdout:" || text === "stdout") return { type: "stdout" };
  const scheme = /^([A-Za-z0-9+.-]+):/.exec(text)?.[1]?.toLowerCase() ?? "";
  if (!/^(?:elasticsearch|loki|splunk)\+https?$/.test(scheme)) {
    const near = suggest(scheme, [...TYPES.flatMap((type) => [`${type}+http`, `${type}+https`]), "stdout"]);
    throw wrong(text, scheme === "" ? "is no URL" : `unknown scheme${near}`);
  }
  const http = text.slice(text.indexOf("+") + 1);
  if (!URL.canParse(http)) throw wrong(text, "is no URL");
  const url = new URL(http);
  if (url.hash !== "") throw wrong(text, "a URL of a destination has no #fragment");
  if (scheme.startsWith("loki")) return loki(text, url);
  return scheme.startsWith("splunk") ? splunk(text, url) : elasticsearch(text, url);
}

/** A password in the URL itself, where `ps` shows it to everyone on the machine. */
export function carriesPassword(text: string): boolean {
  return /^[^/]*\/\/[^/@]*:[^/@]+@/.test(text);
}

function elasticsearch(text: string, url: URL): RawSink {
  const options = queryOptions(text, url, "Elasticsearch", (name) => OPTIONS.includes(name), OPTIONS);
  const segments = url.pathname.split("/").filter((segment) => segment !== "");
  if (segments.length > 1) {
    throw wrong(
      text,
      "more than one path segment; the path is the data stream",
      "A server below a path needs `urls` in a configuration file.",
    );
  }
  if (segments.length === 1 && options.has("index"))
    throw wrong(text, "a data stream in the path and `index` exclude each other");
  const sink: RawSink = { type: "elasticsearch", urls: [escape(url.origin)] };
  const auth = authOf(text, url, options);
  if (Object.keys(auth).length > 0) sink["auth"] = auth;
  if (options.has("ca_file")) sink["tls"] = { ca: escape(options.get("ca_file")!) };
  if (options.has("index")) sink["index"] = escape(options.get("index")!);
  if (segments.length === 1) sink["data_stream"] = escape(decode(segments[0]));
  return sink;
}

/** A path is one that a gateway before Loki wants; `/loki/api/v1/push` is added to it. */
function loki(text: string, url: URL): RawSink {
  const isLabel = (name: string): boolean => name.startsWith(LABEL) && name.length > LABEL.length;
  const options = queryOptions(text, url, "Loki", (name) => LOKI_OPTIONS.includes(name) || isLabel(name), LOKI_OPTIONS);
  const path = url.pathname.replace(/\/+$/, "").replace(/\/loki\/api\/v1\/push$/, "");
  const sink: RawSink = { type: "loki", urls: [escape(`${url.origin}${path}`)] };
  const auth = authOf(text, url, options);
  if (Object.keys(auth).length > 0) sink["auth"] = auth;
  if (options.has("ca_file")) sink["tls"] = { ca: escape(options.get("ca_file")!) };
  if (options.has("tenant")) sink["tenant"] = escape(options.get("tenant")!);
  const labels = [...options].filter(([name]) => isLabel(name));
  if (labels.length > 0)
    sink["labels"] = Object.fromEntries(labels.map(([name, value]) => [name.slice(LABEL.length), escape(value)]));
  return sink;
}

/** A path is one that a gateway before Splunk wants; `/services/collector/event` is added to it. */
function splunk(text: string, url: URL): RawSink {
  const options = queryOptions(text, url, "Splunk", (name) => SPLUNK_OPTIONS.includes(name), SPLUNK_OPTIONS);
  const path = url.pathname.replace(/\/+$/, "").replace(/\/services\/collector(?:\/event(?:\/1\.0)?)?$/, "");
  const sink: RawSink = { type: "splunk", urls: [escape(`${url.origin}${path}`)] };
  const auth = authOf(text, url, options);
  if (Object.keys(auth).length > 0) sink["auth"] = auth;
  if (options.has("ca_file")) sink["tls"] = { ca: escape(options.get("ca_file")!) };
  for (const name of ["index", "sourcetype"]) if (options.has(name)) sink[name] = escape(options.get(name)!);
  return sink;
}

function queryOptions(
  text: string,
  url: URL,
  server: string,
  isKnown: (name: string) => boolean,
  known: readonly string[],
): Map<string, string> {
  const options = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    const isOthers =
      [OPTIONS, LOKI_OPTIONS, SPLUNK_OPTIONS].some((each) => each.includes(name)) || name.startsWith(LABEL);
    if (isOthers && !isKnown(name)) throw wrong(text, `${name} is no option of ${server}`);
    if (!isKnown(name)) throw wrong(text, `unknown option ${name}${suggest(name, known)}`);
    if (value === "") throw wrong(text, `${name} is empty`);
    if (options.has(name)) throw wrong(text, `${name} is given twice`);
    if (name.endsWith("_file") && value.includes("}")) throw wrong(text, `${name}: a path with } cannot be given here`);
    options.set(name, value);
  }
  return options;
}

function authOf(text: string, url: URL, options: ReadonlyMap<string, string>): Record<string, string> {
  const file = (name: string): string | undefined => {
    const path = options.get(name);
    return path === undefined ? undefined : `\${file:${path}}`;
  };
  const username = url.username === "" ? undefined : escape(decode(url.username));
  const inline = url.password === "" ? undefined : escape(decode(url.password));
  if (inline !== undefined && options.has("password_file"))
    throw wrong(text, "a password and `password_file` exclude each other");
  if (username === undefined && options.has("password_file"))
    throw wrong(text, "`password_file` needs a user: …+https://USER@host");
  const auth = {
    api_key: file("api_key_file"),
    bearer: file("bearer_file"),
    token: file("token_file"),
    username,
    password: inline ?? file("password_file"),
  };
  return Object.fromEntries(Object.entries(auth).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function wrong(text: string, why: string, hint?: string): PannierError {
  return new PannierError("config_destination", `${redact(text)}: ${why}`, {
    exitCode: ExitCode.usage,
    hint:
      hint ??
      "elasticsearch+https://[user:password@]host[:port][/DATA-STREAM][?api_key_file=PATH…], loki+https://[user:password@]host[:port][?tenant=T&label.NAME=VALUE…], splunk+https://host[:port]?token_file=PATH[&index=NAME], or stdout:",
  });
}

/** The URL without its credentials, and without options: someone may have put a key there. */
export function redact(text: string): string {
  return text.replace(/\/\/.*@/s, "//***@").replace(/\?.*$/s, "?…");
}
