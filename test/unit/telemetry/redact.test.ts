import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRedactor } from "../../../src/telemetry/redact.ts";

const line = (fields: object): string => JSON.stringify(fields);
const redactWith =
  (...secrets: string[]) =>
  (fields: object): Record<string, unknown> =>
    JSON.parse(createRedactor(() => secrets)(line(fields))) as Record<string, unknown>;

describe("redact", () => {
  test("masks a secret wherever it stands in a value, also nested", () => {
    const redact = redactWith("s3cr3t-key");
    expect(redact({ msg: "401 for s3cr3t-key!", deep: { list: ["a", "xs3cr3t-keyx"] } })).toEqual({
      msg: "401 for [redacted]!",
      deep: { list: ["a", "x[redacted]x"] },
    });
  });

  test("masks the user part of a URL that nobody registered", () => {
    const redact = redactWith();
    expect(
      redact({ msg: "cannot reach elasticsearch+https://me:p@ss@es.example:9200/logs, trying http://b:1/" }),
    ).toEqual({
      msg: "cannot reach elasticsearch+https://[redacted]@es.example:9200/logs, trying http://b:1/",
    });
    expect(redact({ msg: "mail a@b.c about https://host/path?to=a@b.c" })).toEqual({
      msg: "mail a@b.c about https://host/path?to=a@b.c",
    });
  });

  test("masks Authorization headers in any spelling", () => {
    const redact = redactWith();
    const text = String(
      redact({ msg: `sent {"authorization":"Basic dTpw", "x":"kept"} and Authorization: ApiKey abc==` })["msg"],
    );
    expect(text).toBe(`sent {"authorization":"[redacted]", "x":"kept"} and Authorization: [redacted]`);
  });

  test("masks what JSON escapes and what URLs encode", () => {
    const redact = redactWith(`pa"ss\\wo\nrd`, "a b/c?d");
    expect(redact({ msg: `x pa"ss\\wo\nrd y`, url: "http://h/?p=a%20b%2Fc%3Fd" })).toEqual({
      msg: "x [redacted] y",
      url: "http://h/?p=[redacted]",
    });
  });

  test("does not find a secret inside an escape", () => {
    expect(redactWith("nature")({ msg: "good\nature" })).toEqual({ msg: "good\nature" });
  });

  test("masks a very short secret as a word only, and the longer of two that overlap", () => {
    expect(redactWith("pw")({ msg: "pw upward (pw)" })).toEqual({ msg: "[redacted] upward ([redacted])" });
    expect(redactWith("token", "token-two")({ msg: "token-two" })).toEqual({ msg: "[redacted]" });
  });

  test("asks for the secrets again, since credential files change", () => {
    let secret = "first-one";
    const redact = createRedactor(() => [secret]);
    expect(redact(line({ msg: "first-one second-one" }))).toBe(line({ msg: "[redacted] second-one" }));
    secret = "second-one";
    expect(redact(line({ msg: "first-one second-one" }))).toBe(line({ msg: "first-one [redacted]" }));
  });

  test("keeps the line JSON with the same keys and numbers, and no long secret survives, whatever it looks like", () => {
    const secret = fc.oneof(
      fc.string({ minLength: 4 }),
      fc.string({ minLength: 4, unit: "binary" }),
      fc.constantFrom('":"', "1234", "\\\\\\\\"),
    );
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 3 }),
        fc.string(),
        fc.string(),
        fc.nat(),
        (secrets, a, b, n) => {
          const out = JSON.parse(
            createRedactor(() => secrets)(line({ code: "x", msg: `${a}${secrets[0]}${b}`, n })),
          ) as Record<string, unknown>;
          expect(Object.keys(out)).toEqual(["code", "msg", "n"]);
          expect(out["n"]).toBe(n);
          expect(String(out["msg"])).toContain("[redacted]");
          // The mask's own letters may be a secret, and what stands around the mask may form one again.
          const parts = String(out["msg"]).split("[redacted]");
          expect(parts.some((part) => part.includes(secrets[0]))).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });
});
