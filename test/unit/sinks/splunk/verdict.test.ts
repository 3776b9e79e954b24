import { describe, expect, test } from "vitest";
import { readAnswer } from "../../../../src/sinks/splunk/answer.ts";
import { describeAnswer } from "../../../../src/sinks/splunk/problem.ts";
import { verdictOf } from "../../../../src/sinks/splunk/verdict.ts";
import { hecAnswer } from "../../../support/hec-collector.ts";

const answerOf = (code: number): ReturnType<typeof readAnswer> => readAnswer(JSON.parse(hecAnswer(code).body));

describe("every documented code has a verdict, and the operator's words where it has to wait", () => {
  test.each([
    [0, "taken", undefined],
    [1, "destination", "sink_forbidden"],
    [2, "destination", "sink_unauthorized"],
    [3, "destination", "sink_unauthorized"],
    [4, "destination", "sink_forbidden"],
    [5, "content", undefined],
    [6, "event", undefined],
    [7, "destination", "destination_missing"],
    [8, "failed", "sink_error"],
    [9, "busy", "sink_busy"],
    [10, "destination", "destination_error"],
    [11, "destination", "destination_error"],
    [12, "event", undefined],
    [13, "event", undefined],
    [14, "destination", "destination_error"],
    [15, "event", undefined],
    [16, "destination", "destination_error"],
    [17, "stranger", undefined],
    [18, "destination", "sink_error"],
    [19, "destination", "sink_error"],
    [20, "destination", "sink_error"],
    [21, "destination", "sink_forbidden"],
    [22, "destination", "sink_forbidden"],
    [23, "destination", "sink_error"],
    [26, "busy", "sink_busy"],
    [27, "busy", "sink_busy"],
  ])("%i: %s", (code, verdict, says) => {
    const { status } = hecAnswer(code);
    expect(verdictOf(status, answerOf(code))).toBe(verdict);
    if (says === undefined) return;
    const problem = describeAnswer(status, answerOf(code), "", "http://s:8088");
    expect(problem.code).toBe(says);
    expect(problem.message).toContain("nothing is lost");
    expect(problem.message).toContain(`code ${code}`);
  });
});

test.each([
  [200, undefined, "stranger"],
  [200, 9, "stranger"],
  [201, 0, "stranger"],
  [204, undefined, "stranger"],
  [302, undefined, "stranger"],
  [400, undefined, "failed"],
  [400, 99, "content"],
  [401, undefined, "destination"],
  [403, undefined, "destination"],
  [404, undefined, "destination"],
  [429, undefined, "busy"],
  [500, 0, "failed"],
  [502, undefined, "failed"],
  [503, undefined, "failed"],
])("status %i with code %s: %s", (status, code, verdict) => {
  const answer = code === undefined ? undefined : readAnswer({ text: "said", code });
  expect(verdictOf(status, answer)).toBe(verdict);
});

test.each([
  [undefined],
  [null],
  ["Success"],
  [[0]],
  [{ code: 0 }],
  [{ text: "Success", code: "0" }],
  [{ text: 1, code: 0 }],
  [{ text: "x", code: -1 }],
])("%j is no answer of a collector", (json) => {
  expect(readAnswer(json)).toBeUndefined();
});
