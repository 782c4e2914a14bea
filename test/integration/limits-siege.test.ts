import assert from "node:assert/strict";
import { test } from "node:test";
import { siegeTable } from "../../scripts/siege/report.ts";
import { siege } from "../../scripts/siege/run.ts";

/** What `npm run siege` does with thousands of clients and gigabytes, with hundreds. */
test("a besieged edge serves every ordinary request, and holds no more afterwards than before", async () => {
  const report = await siege(
    {
      idle: 300,
      active: 100,
      attackers: 300,
      ratePerSecond: 60,
      phaseMs: 700,
      transferBytes: 100_000_000,
      limits: "{ headersTimeout: 1s, slowBodies: { grace: 1s } }",
    },
    () => {},
  );
  const told = siegeTable(report);
  const crowds = report.phases.map(({ crowd }) => crowd);
  assert.ok(
    crowds.some(({ idle, active }) => idle === 300 && active === 100),
    told,
  );
  assert.ok(crowds.at(-1)?.cuts ?? 0 >= 300, "attackers were cut");
  for (const { ordinary } of report.phases) assert.equal(ordinary.succeeded, ordinary.sent, told);
  assert.deepEqual(Object.keys(crowds.at(-1)?.answers ?? {}), ["200"], told);
  for (const { bytes, before, edge } of report.transfers) {
    assert.equal(bytes, 100_000_000);
    assert.ok(edge.most.rssMiB < before.rssMiB + 250, told);
  }
  assert.ok(report.end.descriptors <= report.start.descriptors + 2, told);
});
