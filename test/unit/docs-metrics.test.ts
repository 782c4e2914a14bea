import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { METRICS, withMetricsTable } from "../../scripts/generate-metrics.ts";

it("docs/metrics.md has the table that the code gives: npm run docs:metrics", async () => {
  const text = await readFile(METRICS, "utf8");
  assert.equal(text, await withMetricsTable(text));
});
