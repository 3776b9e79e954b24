import { describe, expect, test } from "vitest";
import { parseDestination } from "../../../src/config/destination.ts";
import { nearest } from "../../../src/config/nearest.ts";
import { file, load, refusal } from "./support.ts";

const es = (more: object): object => ({ type: "elasticsearch", ...more });

describe("--to", () => {
  test.each([
    ["stdout:", { type: "stdout" }],
    ["elasticsearch+http://es", es({ urls: ["http://es"] })],
    ["elasticsearch+http://es:9200/", es({ urls: ["http://es:9200"] })],
    ["elasticsearch+https://[::1]:9200/logs-a-b", es({ urls: ["https://[::1]:9200"], data_stream: "logs-a-b" })],
    ["ELASTICSEARCH+HTTPS://ES", es({ urls: ["https://es"] })],
    ["elasticsearch+http://u:p%40%24@es", es({ urls: ["http://es"], auth: { username: "u", password: "p@$$" } })],
    ["elasticsearch+http://es?index=a", es({ urls: ["http://es"], index: "a" })],
    ["elasticsearch+http://es?api_key_file=/k", es({ urls: ["http://es"], auth: { api_key: "${file:/k}" } })],
    ["elasticsearch+http://es?bearer_file=/k", es({ urls: ["http://es"], auth: { bearer: "${file:/k}" } })],
    [
      "elasticsearch+http://u@es?password_file=/k",
      es({ urls: ["http://es"], auth: { username: "u", password: "${file:/k}" } }),
    ],
    ["elasticsearch+https://es/ds?ca_file=/ca", es({ urls: ["https://es"], tls: { ca: "/ca" }, data_stream: "ds" })],
    ["loki+http://l:3100", { type: "loki", urls: ["http://l:3100"] }],
    ["loki+https://gw/loki?tenant=t", { type: "loki", urls: ["https://gw/loki"], tenant: "t" }],
    ["loki+http://l/loki/api/v1/push", { type: "loki", urls: ["http://l"] }],
    ["loki+http://l?label.a=x&label.b={1}", { type: "loki", urls: ["http://l"], labels: { a: "x", b: "{1}" } }],
    [
      "loki+http://u@l?password_file=/k",
      { type: "loki", urls: ["http://l"], auth: { username: "u", password: "${file:/k}" } },
    ],
    [
      "splunk+https://s:8088?token_file=/k&index=main&ca_file=/ca",
      {
        type: "splunk",
        urls: ["https://s:8088"],
        auth: { token: "${file:/k}" },
        tls: { ca: "/ca" },
        index: "main",
      },
    ],
    ["splunk+https://gw/x/services/collector/event", { type: "splunk", urls: ["https://gw/x"] }],
  ])("%s", (url, sink) => {
    expect(parseDestination(url)).toEqual(sink);
  });

  test.each([
    ["es:9200", "unknown scheme"],
    ["/logs", "is no URL"],
    ["", "is no URL"],
    [
      "http://es:9200",
      "unknown scheme; valid: elasticsearch+http, elasticsearch+https, loki+http, loki+https, splunk+http, splunk+https, stdout",
    ],
    ["elasticsearch://es", 'unknown scheme, did you mean "elasticsearch+http"?'],
    ["elasticserch+https://es", 'did you mean "elasticsearch+https"?'],
    ["loki+http://l?index=x", "index is no option of Loki"],
    ["loki+http://l?api_key_file=x", "api_key_file is no option of Loki"],
    ["loki+http://l?label.=x", "label. is no option of Loki"],
    ["splunk+https://s?tenant=x", "tenant is no option of Splunk"],
    ["splunk+https://s?token=x", 'unknown option token, did you mean "token_file"?'],
    ["elasticsearch+http://", "is no URL"],
    ["elasticsearch+http://es:99999", "is no URL"],
    ["elasticsearch+http://es/a/b", "more than one path segment"],
    ["elasticsearch+http://es/a?index=b", "exclude each other"],
    ["elasticsearch+http://es?api_key=x", 'unknown option api_key, did you mean "api_key_file"?'],
    ["elasticsearch+http://es?tenant=x", "tenant is no option of Elasticsearch"],
    ["elasticsearch+http://es?label.a=x", "label.a is no option of Elasticsearch"],
    ["elasticsearch+http://es?index=", "index is empty"],
    ["elasticsearch+http://es?index=a&index=b", "index is given twice"],
    ["elasticsearch+http://es?password_file=/k", "`password_file` needs a user"],
    ["elasticsearch+http://u:p@es?password_file=/k", "exclude each other"],
    ["elasticsearch+http://es#x", "#fragment"],
  ])("%s is refused", (url, message) => {
    const error = refusal(undefined, { flags: { paths: ["/x"], to: [url] } });
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ exitCode: 64, code: "config_destination" });
  });

  test.each([
    "elasticsearch+http://u:hunter2@es/a/b?api_key=hunter2",
    "elasticsearch+http://u:hun/ter2@es",
    "elasticsearch+http://u:hunter2?@es",
    "elasticsearch+htp://u:hunter2@es",
  ])("an error masks the password of %s", (url) => {
    const { message } = refusal(undefined, { flags: { paths: ["/x"], to: [url] } });
    expect(message).toMatch(/\*\*\*@es/);
    expect(message).not.toMatch(/hun|ter2/);
  });

  test("what the URL says is checked like the file", () => {
    const flags = { paths: ["/x"], to: ["elasticsearch+http://es/Logs"] };
    expect(refusal(undefined, { flags })).toMatchObject({
      exitCode: 64,
      message: expect.stringMatching(/^--to: "Logs" is no valid name/),
    });
    const missing = { paths: ["/x"], to: ["elasticsearch+http://es?api_key_file=/nowhere/key"] };
    expect(refusal(undefined, { flags: missing })).toMatchObject({ exitCode: 78, code: "config_secret_file" });
  });

  test("a key from a file arrives as a secret", () => {
    const key = file("to-key", "abc\n");
    const sink = load(undefined, { flags: { paths: ["/x"], to: [`elasticsearch+http://es?api_key_file=${key}`] } })
      .config.sinks[0];
    expect(sink?.type === "elasticsearch" ? sink.auth.apiKey?.read() : undefined).toBe("abc");
  });
});

test.each(["token_file", "bearer_file"])("%s is the token of Splunk", (option) => {
  const token = file("to-token", "abc\n");
  const [sink] = load(undefined, { flags: { paths: ["/x"], to: [`splunk+https://s:8088?${option}=${token}`] } }).config
    .sinks;
  expect(sink.type === "splunk" ? Object.keys(sink.auth) : []).toEqual(["token"]);
  expect(sink.type === "splunk" ? sink.auth.token?.read() : undefined).toBe("abc");
});

describe("the nearest word", () => {
  const keys = ["paths", "exclude", "start_at", "max_line_bytes", "fields"];
  test.each([
    ["path", "paths"],
    ["excludes", "exclude"],
    ["startAt", "start_at"],
    ["start-at", "start_at"],
    ["max_line_byte", "max_line_bytes"],
    ["feilds", "fields"],
    ["xyz", undefined],
    ["", undefined],
  ])("%s → %s", (word, expected) => {
    expect(nearest(word, keys)).toBe(expected);
  });
});
