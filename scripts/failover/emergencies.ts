import { setTimeout as sleep } from "node:timers/promises";
import type { Play } from "./play.ts";
import type { Promises, Scenario } from "./scenario.ts";
import type { FleetSettings } from "./settings.ts";

export const FAILOVER_AFTER_MS = 1_500;
const HOLD_DOWN_MS = 4_000;
export const AUTOMATIC: FleetSettings = {
  failover: { mode: "automatic", after: `${FAILOVER_AFTER_MS}ms`, holdDown: `${HOLD_DOWN_MS}ms` },
  hasHook: true,
};

/** The writer is gone with what it had given to nobody. */
export const TAIL_LOST: Promises = { noneFails: false, losesNothing: false, moves: [1] };
const NOTHING_MOVES: Promises = { noneFails: false, losesNothing: true, moves: [0], writer: "us-east" };

const AFTER_MS = 1_500;
/** Much longer than it takes to decide. */
const CUT_FOR_MS = 5_000;
const FLAPS = 5;
const FLAP_MS = 900;

const emergency = (name: string, run: Scenario["run"], promises: Promises): Scenario => ({
  ...{ name, run, promises, settings: AUTOMATIC },
});

/** What edges do by themselves when the write region is gone, or seems so. */
export const EMERGENCIES: readonly Scenario[] = [
  emergency("writer-killed", losing("kill", "revive"), TAIL_LOST),
  emergency("writer-black-holed", losing("isolate", "rejoin"), TAIL_LOST),
  emergency("coordinator-dies-too", losingCoordinatorToo, TAIL_LOST),
  emergency("cut-from-one-edge", cutFromOne, NOTHING_MOVES),
  emergency("cut-from-two-edges", cutFromTwo, { ...TAIL_LOST, losesNothing: true }),
  emergency("cut-from-all-but-one", cutFromAllButOne, TAIL_LOST),
  emergency("flapping", flapping, { ...TAIL_LOST, moves: [0, 1] }),
  emergency("writers-die", writersDie, { ...TAIL_LOST, moves: [2] }),
];

/** The writer is gone, another takes its place, and it comes back. */
export function losing(gone: string, back: string): Scenario["run"] {
  return async (play) => {
    const region = play.writer;
    await play.stage.order({ act: gone, region });
    play.begin();
    await play.untilSettled(2);
    await sleep(AFTER_MS);
    await play.stage.order({ act: back, region });
    await sleep(AFTER_MS);
  };
}

async function losingCoordinatorToo(play: Play): Promise<void> {
  const { stage, writer: region } = play;
  await stage.order({ act: "hook", mode: "slow" });
  await stage.order({ act: "kill", region });
  play.begin();
  const coordinator = await play.untilStep("hook");
  if (coordinator !== null) await stage.kill(coordinator);
  await stage.order({ act: "hook", mode: "works" });
  await play.untilSettled(2);
  await sleep(AFTER_MS);
  await stage.order({ act: "revive", region });
  await sleep(AFTER_MS);
}

async function cutFromOne(play: Play): Promise<void> {
  const { stage, writer: region } = play;
  await stage.order({ act: "shut", region, edge: "edge-1" });
  play.begin();
  await sleep(CUT_FOR_MS);
  await stage.order({ act: "mend", region, edge: "edge-1" });
  await sleep(AFTER_MS);
  await play.untilSettled(1);
  await sleep(AFTER_MS);
}

async function cutFromTwo(play: Play): Promise<void> {
  const { stage, writer: region } = play;
  const both = ["edge-1", "edge-2"];
  await Promise.all(both.map((edge) => stage.order({ act: "stall", region, edge })));
  play.begin();
  await play.untilSettled(2);
  await sleep(AFTER_MS);
  await Promise.all(both.map((edge) => stage.order({ act: "mend", region, edge })));
  await sleep(AFTER_MS);
}

/** One edge still reaches the writer, and nobody else does: not the others, not the replicas, not the promoter. */
async function cutFromAllButOne(play: Play): Promise<void> {
  const { stage, writer: region } = play;
  await stage.order({ act: "unmanage", region });
  await cutFromTwo(play);
  await stage.order({ act: "manage", region });
  await sleep(AFTER_MS);
}

async function flapping(play: Play): Promise<void> {
  const { stage, writer: region } = play;
  play.begin();
  for (let flap = 0; flap < FLAPS; flap += 1) {
    await stage.order({ act: "kill", region });
    await sleep(FLAP_MS);
    await stage.order({ act: "revive", region });
    await sleep(FLAP_MS);
  }
  await sleep(AFTER_MS);
  await play.untilSettled(1);
  await sleep(AFTER_MS);
}

/** The second dies when it may be replaced again; the first is still away. */
async function writersDie(play: Play): Promise<void> {
  const { stage, writer } = play;
  await stage.order({ act: "kill", region: writer });
  play.begin();
  await play.untilSettled(2);
  await sleep(HOLD_DOWN_MS);
  await stage.order({ act: "kill", region: play.presentWriter });
  play.settledAtMs = Number.POSITIVE_INFINITY;
  await play.untilSettled(3);
  await sleep(AFTER_MS);
}
