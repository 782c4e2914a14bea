import assert from "node:assert/strict";
import { it } from "node:test";
import { violations } from "../../scripts/chaos/checker.ts";
import { FAULTS } from "../../scripts/chaos/faults.ts";
import { total } from "../../scripts/chaos/report.ts";
import { runChaos } from "../../scripts/chaos/run.ts";

const SEED = 11;
const SECONDS = 14;
const CALM_MS = 1_500;
const PLAYED = ["redis-flush", "redis-failover", "redis-stop-0.2", "edge-kill", "redis-cut"];

it("keeps every promise of strict while Redis forgets, fails over and stands still and an edge dies", async () => {
  const faults = FAULTS.filter(({ name }) => PLAYED.includes(name));
  const { history, findings, tallies, faultsRun } = await runChaos({
    ...{ seed: SEED, seconds: SECONDS, mode: "strict", faults, calmMs: CALM_MS },
  });
  assert.deepEqual(violations(findings), [], `faults: ${faultsRun.join(", ")}`);
  const served = history.operations.filter(({ status }) => status === 200);
  const away = served.filter(({ kind, region }) => kind === "read" && region !== "us-east");
  assert.ok(faultsRun.length >= 3, faultsRun.join(", "));
  assert.ok(history.executions.length > 20, `${history.executions.length} writes`);
  assert.ok(away.length > 50, `${away.length} reads that a replica served`);
  const { bound, byWriter, readsFromAfar } = total(tallies);
  assert.ok(
    bound > 0 && bound < byWriter && byWriter < readsFromAfar,
    `${bound}, ${byWriter}, ${readsFromAfar}`,
  );
});
