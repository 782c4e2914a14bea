import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { playScenario } from "../../scripts/failover/run.ts";
import { SCENARIOS } from "../../scripts/failover/scenarios.ts";

/** Less than `npm run failover` sends: other tests need the machine too. */
const RATE_PER_SECOND = 60;
const SEED = 7;

describe("three edges, a hook and databases of their own, each in a process", { concurrency: 2 }, () => {
  for (const [name, sentence] of [
    ["switchover", "move the write region without a failed request or a lost write"],
    ["writer-killed", "replace a write region that is gone, and lose only what it had given to nobody"],
  ] as const) {
    it(sentence, async () => {
      const scenario = SCENARIOS.find((one) => one.name === name);
      assert.ok(scenario);
      const { broken, failures, figures, answers } = await playScenario(scenario, SEED, RATE_PER_SECOND);
      assert.deepEqual(broken, [], JSON.stringify({ failures, figures, answers }));
      assert.deepEqual([figures.moves, figures.twice, figures.sharedEpochs], [1, 0, 0]);
    });
  }
});
