import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { run } from "./command.ts";

const CHALLENGES = ['Basic realm="security", charset="UTF-8"', "ApiKey", 'Bearer realm="security"'];

export interface TlsProxyOptions {
  /** `user:password` that are let in. */
  readonly basic?: string;
  readonly apiKey?: string;
  readonly bearer?: string;
}

export interface TlsProxy {
  readonly url: string;
  /** PEM file that a client must trust. */
  readonly ca: string;
  /** From now on only these are let in. */
  readonly accept: (credentials: TlsProxyOptions) => void;
  readonly stop: () => Promise<void>;
}

/**
 * TLS and authentication in front of a test server, since the security module of Elasticsearch is not published: the
 * certificate is for localhost and 127.0.0.1, and who is not let in gets the 401 that Elasticsearch gives.
 */
export async function startTlsProxy(target: string, credentials: TlsProxyOptions): Promise<TlsProxy> {
  const directory = mkdtempSync(path.join(os.tmpdir(), "pannier-tls-"));
  const [key, ca] = [path.join(directory, "key.pem"), path.join(directory, "ca.pem")];
  await makeCertificate(key, ca);
  let accepted = headersOf(credentials);
  const agent = new http.Agent({ keepAlive: true });
  const server = https.createServer({ key: readFileSync(key), cert: readFileSync(ca) }, (request, response) => {
    const { authorization, ...headers } = request.headers;
    if (!accepted.has(authorization ?? "")) {
      request.resume();
      refuse(response, request.url ?? "/", authorization !== undefined);
      return;
    }
    const options = { agent, method: request.method ?? "GET", headers };
    const onward = http.request(new URL(request.url ?? "/", target), options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    ca,
    accept: (changed) => {
      accepted = headersOf(changed);
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function makeCertificate(key: string, certificate: string): Promise<void> {
  const kind = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "30",
    "-subj",
    "/CN=localhost",
  ];
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await run("openssl", ["req", "-x509", ...kind, ...names, "-keyout", key, "-out", certificate]);
}

function headersOf({ basic, apiKey, bearer }: TlsProxyOptions): Set<string> {
  const headers = new Set<string>();
  if (basic !== undefined) headers.add(`Basic ${Buffer.from(basic).toString("base64")}`);
  if (apiKey !== undefined) headers.add(`ApiKey ${apiKey}`);
  if (bearer !== undefined) headers.add(`Bearer ${bearer}`);
  return headers;
}

function refuse(response: http.ServerResponse, url: string, tried: boolean): void {
  const reason = tried
    ? `unable to authenticate with provided credentials for REST request [${url}]`
    : `missing authentication credentials for REST request [${url}]`;
  const cause = { type: "security_exception", reason, header: { "WWW-Authenticate": CHALLENGES } };
  const headers = {
    "content-type": "application/json",
    "www-authenticate": CHALLENGES,
    "x-elastic-product": "Elasticsearch",
  };
  response.writeHead(401, headers).end(JSON.stringify({ error: { root_cause: [cause], ...cause }, status: 401 }));
}
