import { accessSync, constants } from "node:fs";
import path from "node:path";
import type { AuthConfig, Secret, TlsConfig } from "../core/config.ts";
import { describe } from "../core/errors.ts";
import { type Path, type Problem, quote } from "./problems.ts";
import type { ParsedSink } from "./schema.ts";
import { literalSecret } from "./secret.ts";
import { pathKey, type Replaced } from "./variables.ts";

type Parsed = Exclude<ParsedSink, { type: "stdout" }>;
/** Reports a problem with a key below the sink. */
export type Report = (keys: Path, message: string, hint?: string) => void;

/** A `Report` for the sink at a place of the configuration. */
export function reporter(where: Path, problems: Problem[]): Report {
  return (keys, message, hint) =>
    void problems.push({
      code: "config_value",
      path: [...where, ...keys],
      message,
      ...(hint === undefined ? {} : { hint }),
    });
}

/** How to reach a server, with what no schema can see checked: URLs, credentials, files. */
export function serverOf(
  sink: Parsed,
  where: Path,
  replaced: Replaced,
  report: Report,
): { readonly urls: readonly string[]; readonly auth: AuthConfig; readonly tls: TlsConfig } {
  const { urls, username, password } = nodes(sink.urls, report);
  const written: Readonly<Record<string, string | undefined>> = sink.auth;
  const secret = (key: "api_key" | "password" | "bearer" | "token"): Secret | undefined => {
    const value = written[key];
    return value === undefined
      ? undefined
      : (replaced.secrets.get(pathKey([...where, "auth", key])) ?? literalSecret(value));
  };
  const given = {
    apiKey: secret("api_key"),
    username: sink.auth.username ?? username,
    password: secret("password") ?? (password === undefined ? undefined : literalSecret(password)),
    bearer: secret("bearer"),
    token: secret("token"),
  };
  checkAuth(given, username !== undefined, report);
  return {
    urls,
    auth: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    tls: tlsConfig(sink, report),
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
  const methods = [auth.apiKey !== undefined, basic, auth.bearer !== undefined, auth.token !== undefined].filter(
    Boolean,
  ).length;
  const place = inUrl ? ["urls"] : ["auth"];
  if (methods > 1) report(place, "more than one way to authenticate", "Keep one of them.");
  else if (basic && auth.password === undefined) report(place, "a username without a password");
  else if (basic && auth.username === undefined) report(place, "a password without a username");
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
