import assert from "node:assert/strict";
import { test } from "node:test";
import { type Reported, readAnswer, SILENT, statusMatcher } from "../../src/regions/answer.ts";

const JSON_TYPE = "application/json; charset=utf-8";
const FULL = { status: "degraded", writer: true, epoch: 3, applied: "00000000000004d2", lagMs: 120 } as const;

type Row = readonly [
  sentence: string,
  contentType: string,
  body: string,
  reported: Partial<Reported>,
  ignored: string | null,
];

const rows: readonly Row[] = [
  ["every key", JSON_TYPE, JSON.stringify(FULL), FULL, null],
  ["no body as ok", JSON_TYPE, "", {}, null],
  ["an empty object as ok", JSON_TYPE, "{}", {}, null],
  ["a body that is not JSON as ok", "text/html", "<h1>fine</h1>", {}, null],
  ["keys that are not ours as nothing", JSON_TYPE, '{"uptime": 7, "checks": {"db": "up"}}', {}, null],
  ["drain", "application/health+json", '{"status":"drain"}', { status: "drain" }, null],
  ["a position in capitals", JSON_TYPE, '{"applied":"00000000000004D2"}', { applied: FULL.applied }, null],
  ["another word for status as ok, and says so", JSON_TYPE, '{"status":"UP"}', {}, "body: ignored status"],
  [
    "a bad key without losing a good one",
    JSON_TYPE,
    '{"lagMs":"soon","epoch":4}',
    { epoch: 4 },
    "body: ignored lagMs",
  ],
  ["a negative lag as none", JSON_TYPE, '{"lagMs":-1}', {}, "body: ignored lagMs"],
  ["a short position as none", JSON_TYPE, '{"applied":"4d2"}', {}, "body: ignored applied"],
  ["half a document as ok, and says so", JSON_TYPE, '{"status":"dr', {}, "body: not a JSON object"],
  ["a list as ok, and says so", JSON_TYPE, "[1]", {}, "body: not a JSON object"],
  ["an object that cannot be a text", JSON_TYPE, '{"status":{"toString":1}}', {}, "body: ignored status"],
  ["null as ok, and says so", JSON_TYPE, "null", {}, "body: not a JSON object"],
];

for (const [sentence, contentType, body, reported, ignored] of rows) {
  test(`the answer to a probe reads ${sentence}`, () => {
    assert.deepEqual(readAnswer(contentType, body), { reported: { ...SILENT, ...reported }, ignored });
  });
}

for (const [expected, good, bad] of [
  ["200-299", [200, 204, 299], [199, 300, 301, 500]],
  ["204", [204], [200, 203, 205]],
  ["200, 301-303,401", [200, 301, 302, 303, 401], [201, 300, 304, 400]],
] as const) {
  test(`a probe that expects ${expected} takes ${good.join(", ")} and not ${bad.join(", ")}`, () => {
    const expects = statusMatcher(expected);
    assert.deepEqual([...good, ...bad].filter(expects), good);
  });
}
