import { setTimeout as sleep } from "node:timers/promises";
import { AUTOMATIC, losing, TAIL_LOST } from "./emergencies.ts";
import type { Play } from "./play.ts";
import type { Scenario } from "./scenario.ts";

const GONE_FOR_MS = 5_000;
const AFTER_MS = 2_000;

/** The three kinds of geo-redundancy, each as the shipped file has it. */
export const KINDS: readonly Scenario[] = [
  {
    name: "active-passive",
    settings: { ...AUTOMATIC, file: "active-passive.yaml" },
    promises: TAIL_LOST,
    run: losing("kill", "revive"),
  },
  {
    name: "partially-active",
    settings: { ...AUTOMATIC, file: "partially-active.yaml" },
    promises: TAIL_LOST,
    run: losing("kill", "revive"),
  },
  {
    name: "fully-active",
    settings: { file: "fully-active.yaml", failover: {}, hasHook: false },
    promises: { noneFails: false, losesNothing: true, moves: null },
    run: loseOneOfMany,
  },
];

/** Where every region takes writes there is nothing to move. */
async function loseOneOfMany(play: Play): Promise<void> {
  const region = play.writer;
  await play.stage.order({ act: "kill", region });
  play.begin();
  await play.until(() => play.watch.first(play.brokenAtMs, (seen) => seen.what === "health") !== null);
  await sleep(GONE_FOR_MS);
  await play.untilSettled(1);
  await play.stage.order({ act: "revive", region });
  await sleep(AFTER_MS);
}
