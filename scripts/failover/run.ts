import { setTimeout as sleep } from "node:timers/promises";
import { nowMs } from "../chaos/monotonic.ts";
import type { Evidence } from "./evidence.ts";
import { type Judged, judge } from "./judge.ts";
import { type MoveAnswer, Play } from "./play.ts";
import type { Scenario } from "./scenario.ts";
import { Stage } from "./stage.ts";
import { RATE_PER_SECOND, Traffic } from "./traffic.ts";
import { Watch } from "./watch.ts";

/** Longer than a memory needs to be believed, and for every edge to know of the others. */
const WARM_UP_MS = 3_500;

export interface ScenarioResult extends Judged {
  readonly name: string;
  readonly seconds: number;
  readonly evidence: Evidence;
  readonly answers: readonly MoveAnswer[];
  /** By edge: what it has logged. */
  readonly logs: Readonly<Record<string, string>>;
}

/** Plays one scenario and judges it. All that it starts is gone when it resolves. */
export async function playScenario(
  scenario: Scenario,
  seed: number,
  ratePerSecond = RATE_PER_SECOND,
): Promise<ScenarioResult> {
  const startedMs = nowMs();
  const stage = await Stage.set(scenario.settings, seed);
  const processes = stage.edges.map(({ id, process }) => [id, process] as const);
  try {
    const [watch, traffic] = [new Watch(stage.edges), new Traffic(stage, seed, ratePerSecond)];
    const play = new Play(stage, watch);
    watch.start();
    traffic.start();
    await sleep(WARM_UP_MS);
    await scenario.run(play).finally(() => traffic.stop());
    await watch.stop();
    const evidence = play.evidence(traffic, await stage.record());
    return {
      ...judge(evidence, scenario.promises),
      ...{ name: scenario.name, evidence, answers: play.answers },
      seconds: Math.round((nowMs() - startedMs) / 100) / 10,
      logs: Object.fromEntries(processes.map(([id, process]) => [id, process?.logs() ?? ""])),
    };
  } finally {
    await stage.strike();
  }
}
