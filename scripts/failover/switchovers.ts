import { setTimeout as sleep } from "node:timers/promises";
import type { Play } from "./play.ts";
import type { HookMode } from "./promoter.ts";
import type { Promises, Scenario } from "./scenario.ts";
import type { FleetSettings } from "./settings.ts";
import type { Step } from "./watch.ts";

const BY_HOOK: FleetSettings = { failover: { mode: "manual" }, hasHook: true };
const BY_HAND: FleetSettings = { failover: { mode: "manual" }, hasHook: false };
const MOVED: Promises = { noneFails: true, losesNothing: true, moves: [1], writer: "eu-west" };
/** Moved, or given up: either may be right. */
const EITHER: Promises = { noneFails: true, losesNothing: true, moves: null };

/** How long the new writer is watched. */
const AFTER_MS = 1_500;
/** An operator looks, and types. */
const BY_HAND_MS = 700;
const STOPPED_MS = 5_000;
/** For a step to last until it is seen. */
const VERIFIED_AFTER_MS = 2_000;

const switchover = (name: string, run: Scenario["run"], promises = MOVED, settings = BY_HOOK): Scenario => ({
  ...{ name, run, promises, settings },
});

/** Moves that somebody has asked for, of a fleet in which all is well but what the scenario breaks. */
export const SWITCHOVERS: readonly Scenario[] = [
  switchover("switchover", move),
  switchover("switchover-by-hand", moveByHand, MOVED, BY_HAND),
  switchover("hook-fails", withHook("fails")),
  switchover("hook-fails-after-work", withHook("fails-after-work"), EITHER),
  switchover("hook-hangs", withHook("hangs")),
  switchover("hook-slow", withHook("slow")),
  // It promotes when the edges have gone back: until they hear of it the old writer refuses.
  switchover("hook-late", withHook("late"), { ...EITHER, noneFails: false }),
  switchover("coordinator-dies-hold", withoutCoordinator("hold"), EITHER),
  switchover("coordinator-dies-catch-up", withoutCoordinator("catch-up"), EITHER),
  switchover("coordinator-dies-hook", withoutCoordinator("hook")),
  switchover("coordinator-dies-verify", withoutCoordinator("verify")),
  switchover("coordinator-dies-raised", withoutCoordinator("raised")),
  switchover("edge-stops", withStoppedEdge, EITHER),
  switchover("coordinator-loses-redis", withoutRedis, EITHER),
  switchover("redis-forgets", withForgetfulRedis, { ...EITHER, forgets: true }),
];

async function move(play: Play): Promise<void> {
  play.begin();
  await play.move(play.heir);
  await play.untilSettled(2);
  await sleep(AFTER_MS);
}

async function moveByHand(play: Play): Promise<void> {
  play.begin();
  const moving = play.move(play.heir);
  await play.until(() => play.watch.statuses.every(({ mode }) => mode === "ro"));
  await sleep(BY_HAND_MS);
  await play.stage.order({ act: "promote", region: play.heir });
  await moving;
  await play.untilSettled(2);
  await sleep(AFTER_MS);
}

/** With a hook that is broken; when that was the end of it, again with one that is not. */
function withHook(mode: HookMode): Scenario["run"] {
  return async (play) => {
    await play.stage.order({ act: "hook", mode });
    play.begin();
    const { status } = await play.move(play.heir);
    if (mode === "late") await sleep(AFTER_MS);
    await play.stage.order({ act: "hook", mode: "works" });
    if (status !== 200 && play.epoch === 1) await play.move(play.heir);
    await play.untilSettled(2);
    await sleep(AFTER_MS);
  };
}

/** The edge that carries out the move is killed at a step, which lasts long enough to be met. */
function withoutCoordinator(step: Step | "raised"): Scenario["run"] {
  return async (play) => {
    const { stage } = play;
    if (step === "catch-up") await stage.order({ act: "freeze", region: play.heir });
    if (step === "hook") await stage.order({ act: "hook", mode: "slow" });
    if (step === "verify") await stage.order({ act: "promoted-silent", ms: VERIFIED_AFTER_MS });
    play.begin();
    const moving = play.move(play.heir);
    if (step === "raised") await play.until(() => play.epoch > 1);
    const coordinator = step === "raised" ? stage.edge("edge-2") : await play.untilStep(step);
    if (coordinator !== null) await stage.kill(coordinator);
    await moving;
    await stage.order({ act: "hook", mode: "works" });
    if (step === "catch-up") await stage.order({ act: "thaw", region: play.heir });
    await play.untilSettled(isNoReturn(step) ? 2 : 1);
    await sleep(AFTER_MS);
  };
}

function isNoReturn(step: Step | "raised"): boolean {
  return step === "hook" || step === "verify" || step === "raised";
}

/** Another edge stands still while the write region moves, and wakes up with what it knew. */
async function withStoppedEdge(play: Play): Promise<void> {
  const child = play.stage.edge("edge-3").process?.child;
  play.begin();
  child?.kill("SIGSTOP");
  const moving = play.move(play.heir);
  await sleep(STOPPED_MS);
  child?.kill("SIGCONT");
  await moving;
  await play.untilSettled(1);
  await sleep(AFTER_MS);
}

async function withoutRedis(play: Play): Promise<void> {
  const { stage } = play;
  await stage.order({ act: "hook", mode: "slow" });
  play.begin();
  const moving = play.move(play.heir);
  const coordinator = await play.untilStep("hook");
  coordinator?.redis.stall();
  await stage.order({ act: "hook", mode: "works" });
  await moving;
  await sleep(AFTER_MS);
  coordinator?.redis.mend();
  await play.untilSettled(1);
  await sleep(AFTER_MS);
}

async function withForgetfulRedis(play: Play): Promise<void> {
  const { stage } = play;
  await stage.order({ act: "hook", mode: "slow" });
  play.begin();
  const moving = play.move(play.heir);
  await play.untilStep("hook");
  await stage.redis.flush();
  await moving;
  await play.untilSettled(1);
  await sleep(AFTER_MS);
}
