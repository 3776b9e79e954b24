export interface Answer {
  readonly status: number;
  /** The body as JSON where it is JSON, else as text. */
  readonly body: unknown;
}

/**
 * One request to a test server, in the words of its documentation: `request(url, "GET", "/_cat/indices?format=json")`. A
 * string goes as NDJSON, anything else as JSON. The official client of version 9 refuses to talk to version 8.
 */
export async function request(url: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const target = new URL(path, url);
  const { username, password } = new URL(url);
  const headers: Record<string, string> = {
    "content-type": typeof body === "string" ? "application/x-ndjson" : "application/json",
  };
  if (username !== "") headers["authorization"] = `Basic ${btoa(decodeURIComponent(`${username}:${password}`))}`;
  target.username = target.password = "";
  const sent = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(target, { method, headers, body: sent });
  const text = await answer.text();
  const json = answer.headers.get("content-type")?.includes("json") === true;
  return { status: answer.status, body: json && text !== "" ? JSON.parse(text) : text };
}
