import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRegion } from "../../src/demo/world-main.ts";

test("a region on the command line names its role, port, distance and lag", () => {
  assert.deepEqual(parseRegion("id=eu-west,role=replica,port=8082,delayMs=15,lagMs=600"), {
    id: "eu-west",
    role: "replica",
    port: 8082,
    delayMs: 15,
    lagMs: 600,
  });
});

test("what is left out is any free port, near, and without lag", () => {
  const { port, delayMs, lagMs } = parseRegion("id=us-east,role=writer");
  assert.deepEqual([port, delayMs, lagMs], [0, 0, 0]);
});

for (const text of ["role=writer", "id=us-east", "id=us-east,role=boss", "id=a,role=writer,port=x"]) {
  test(`refuses --region ${text}`, () => {
    assert.throws(() => parseRegion(text), /--region/);
  });
}
