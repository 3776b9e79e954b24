import { accessSync, constants } from "node:fs";
import path from "node:path";
import type { AuthConfig, ElasticsearchConfig, Secret, TlsConfig } from "../core/config.ts";
import { describe } from "../core/errors.ts";
import { BATCH_MAX_BYTES, IN_FLIGHT_MAX } from "../core/limits.ts";
import { type Path, type Problem, quote } from "./problems.ts";
import type { ParsedSink } from "./schema.ts";
import { literalSecret } from "./secret.ts";
import { pathKey, type Replaced } from "./variables.ts";

type Parsed = Extract<ParsedSink, { type: "elasticsearch" }>;
type Report = (keys: Path, message: string, hint?: string) => void;

/** An Elasticsearch sink with what no schema can see checked: URLs, credentials, names, files. */
export function elasticsearchSink(
  sink: Parsed,
  name: string,
  where: Path,
  replaced: Replaced,
  problems: Problem[],
): ElasticsearchConfig {
  const report: Report = (keys, message, hint) =>
    void problems.push({
      code: "config_value",
      path: [...where, ...keys],
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  const { urls, username, password } = nodes(sink.urls, report);
  const secret = (key: "api_key" | "password" | "bearer"): Secret | undefined => {
    const value = sink.auth[key];
    return value === undefined
      ? undefined
      : (replaced.secrets.get(pathKey([...where, "auth", key])) ?? literalSecret(value));
  };
  const given = {
    apiKey: secret("api_key"),
    username: sink.auth.username ?? username,
    password: secret("password") ?? (password === undefined ? undefined : literalSecret(password)),
    bearer: secret("bearer"),
  };
  checkAuth(given, username !== undefined, report);
  if (sink.data_stream !== undefined && sink.index !== undefined)
    report(["index"], "`data_stream` and `index` exclude each other");
  const target =
    sink.index === undefined ? { dataStream: sink.data_stream ?? "logs-pannier-default" } : { index: sink.index };
  checkName(sink.index === undefined ? "data_stream" : "index", target.index ?? target.dataStream ?? "", report);
  return {
    type: "elasticsearch",
    name,
    ...(sink.was === undefined ? {} : { was: sink.was }),
    urls,
    auth: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    tls: tlsConfig(sink, report),
    ...target,
    manageTemplate: sink.manage_template,
    timestampType: sink.timestamp_type,
    batch: {
      maxBytes: sink.batch.max_bytes ?? BATCH_MAX_BYTES,
      maxAgeMs: sink.batch.max_age,
      inFlight: sink.batch.in_flight ?? IN_FLIGHT_MAX,
      compression: sink.batch.compression,
    },
    deadLetters: { maxBytes: sink.dead_letters.max_bytes, whenFull: sink.dead_letters.when_full },
  };
}

interface Nodes {
  readonly urls: string[];
  readonly username?: string;
  readonly password?: string;
}

/** The nodes without credentials, which move to where they are masked; all nodes share them. */
function nodes(urls: readonly string[], report: Report): Nodes {
  const credentials = new Set<string>();
  const plain = urls.map((text, i) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
      const why = /^[a-z]+\+https?:/.test(text) ? "; only --to wants the type in front" : "";
      report(["urls", i], `${quote(text, [])} is no http or https URL of a server${why}`);
      return text;
    }
    if (url.username !== "" || url.password !== "") credentials.add(JSON.stringify([url.username, url.password]));
    return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
  });
  if (new Set(plain).size < plain.length) report(["urls"], "a node is listed twice");
  if (credentials.size > 1)
    report(["urls"], "the URLs carry different credentials", "Use `auth`, which holds for all of them.");
  const [only] = credentials;
  if (only === undefined) return { urls: plain };
  const [username, password] = (JSON.parse(only) as [string, string]).map(decode) as [string, string];
  return { urls: plain, username, ...(password === "" ? {} : { password }) };
}

/** A stray `%` stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function checkAuth(auth: Record<keyof AuthConfig, unknown>, inUrl: boolean, report: Report): void {
  const basic = auth.username !== undefined || auth.password !== undefined;
  const methods = [auth.apiKey !== undefined, basic, auth.bearer !== undefined].filter(Boolean).length;
  const place = inUrl ? ["urls"] : ["auth"];
  if (methods > 1)
    report(place, "more than one way to authenticate", "Keep one of api_key, username with password, or bearer.");
  else if (basic && auth.password === undefined) report(place, "a username without a password");
  else if (basic && auth.username === undefined) report(place, "a password without a username");
}

/** Elasticsearch's rules for names of data streams, indices and aliases. */
function checkName(key: "data_stream" | "index", name: string, report: Report): void {
  const bad = /[A-Z\\/*?"<>| ,#:]/.exec(name)?.[0];
  if (bad !== undefined)
    report([key], `${quote(name, [])} is no valid name: Elasticsearch does not take ${JSON.stringify(bad)}`);
  else if (/^[-_+.]/.test(name)) report([key], `${quote(name, [])} is no valid name: it begins with "${name[0]}"`);
  else if (Buffer.byteLength(name) > 255) report([key], "the name is longer than 255 bytes");
}

function tlsConfig(sink: Parsed, report: Report): TlsConfig {
  const { ca, cert, key, server_name: serverName } = sink.tls;
  if ((cert === undefined) !== (key === undefined)) report(["tls"], "`cert` and `key` belong together");
  const files = Object.entries({ ca, cert, key }).flatMap(([name, file]) => {
    if (file === undefined) return [];
    const problem = pemProblem(file);
    if (problem !== undefined) report(["tls", name], problem);
    return [[name, path.resolve(file)]];
  });
  return { ...(Object.fromEntries(files) as TlsConfig), ...(serverName === undefined ? {} : { serverName }) };
}

function pemProblem(file: string): string | undefined {
  if (file.includes("-----BEGIN")) return "expected the path of a PEM file, not what it says";
  try {
    accessSync(file, constants.R_OK);
    return undefined;
  } catch (error) {
    return `cannot read this file: ${describe(error)}`;
  }
}
