import assert from "node:assert/strict";
import { it } from "node:test";
import { describeRun, playRuns } from "../../scripts/failover/machine/series.ts";

/** As many as one can wait for; `npm run failover -- --machine 500` plays more, and `--seed` one of these again. */
const RUNS = 16;
const SEEDS = 1_000_000;

it("moves the write region in one epoch at a time, loses nothing, and ends with writes, whoever dies when", async () => {
  const seed = Math.floor(Math.random() * SEEDS);
  const runs = await playRuns(seed, RUNS);
  const broken = runs.filter((run) => run.broken.length > 0);
  assert.deepEqual(broken.map(describeRun), []);
  assert.ok(
    runs.some(({ epochs }) => epochs > 1),
    `no write region was moved from seed ${seed} on`,
  );
});
