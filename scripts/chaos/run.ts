import { setTimeout as sleep } from "node:timers/promises";
import { CLOCK_SKEW_MS } from "../../src/consistency/token.ts";
import { check, type Finding, type Mode, type Terms } from "./checker.ts";
import { Clients, type Traffic } from "./clients.ts";
import { type ChaosFault, FAULTS } from "./faults.ts";
import type { History, Operation } from "./history.ts";
import { measure } from "./measure.ts";
import { nowMs } from "./monotonic.ts";
import { seeded, shuffled } from "./random.ts";
import { type Tallies, tally } from "./report.ts";
import { GRACE_WINDOW_MS, RESPONSE_TIMEOUT_MS, STALENESS_MS, Stage } from "./stage.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly mode: Mode;
  /** By which promise the history is judged; left out: by the mode's. */
  readonly judgedAs?: Mode;
  /** See `mutants.ts`. */
  readonly pins?: string;
  /** In a seeded order, again and again; none: nothing breaks. */
  readonly faults: readonly ChaosFault[];
  readonly traffic?: Partial<Traffic>;
  /** After each fault, about; longer than a quarantine, so that the next one meets edges that are sure of themselves. */
  readonly calmMs?: number;
  /** Beside it as many edges and users in mode `off`, to measure against. */
  readonly baseline?: boolean;
  readonly say?: (line: string) => void;
}

export interface ChaosResult {
  readonly history: History;
  readonly findings: readonly Finding[];
  readonly tallies: Tallies;
  readonly faultsRun: readonly string[];
}

const TRAFFIC = { users: 60, thinkMs: 600, writeShare: 0.03, slowUploadShare: 0.02, loseShare: 0.015 };
const WARM_UP_MS = 1_500;
const CALM_MS = 8_000;

const PIN_TIMES = { windowMs: GRACE_WINDOW_MS, intentMs: GRACE_WINDOW_MS + RESPONSE_TIMEOUT_MS };

/** Plays faults on a stage full of clients, and judges what they saw. All that it starts is gone when it resolves. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, mode, pins = "as-built", judgedAs = mode, baseline = false } = options;
  const stage = await Stage.set({ seed, mode, pins, baseline });
  try {
    const traffic = { seed, ...TRAFFIC, ...options.traffic };
    const clients = new Clients(stage, "edges", traffic);
    // The same seed: each client has a twin that does the same by way of mode `off`.
    const twins = new Clients(stage, "baseline", { ...traffic, users: baseline ? traffic.users : 0 });
    clients.start();
    twins.start();
    const stop = () => Promise.all([clients.stop(), twins.stop()]);
    const faultsRun = await playFaults(stage, options).finally(stop);
    const history = { operations: clients.operations, clocks: stage.clocks, ...(await stage.record()) };
    const findings = check(history, termsOf(judgedAs));
    const measures = measure(history, PIN_TIMES);
    const tallies = tally({ ...history, findings, measures, baseline: twins.operations });
    return { history, findings, tallies, faultsRun };
  } finally {
    await stage.strike();
  }
}

async function playFaults(stage: Stage, options: ChaosOptions): Promise<readonly string[]> {
  const { seed, seconds, faults, calmMs = CALM_MS, say = () => undefined } = options;
  const endAtMs = nowMs() + seconds * 1_000;
  const leftMs = () => endAtMs - nowMs();
  const chance = seeded(seed);
  const done: string[] = [];
  await sleep(WARM_UP_MS);
  let deck: readonly ChaosFault[] = [];
  while (leftMs() > calmMs) {
    deck = (deck.length > 0 ? deck : shuffled(faults, chance)).filter(({ forMs }) => forMs < leftMs());
    const [fault, ...rest] = deck;
    if (fault === undefined) break;
    deck = rest;
    say(fault.name);
    stage.phase = fault.name;
    await fault.run(stage, chance, fault.forMs);
    done.push(fault.name);
    // What follows from a fault is still the fault's.
    await sleep(calmMs * (0.6 + 0.8 * chance()));
  }
  await sleep(Math.max(0, leftMs()));
  return done;
}

function termsOf(mode: Mode): Terms {
  const during = (which: "region" | "redis") => {
    const names = new Set(FAULTS.filter((fault) => fault[which]).map(({ name }) => name));
    return ({ phase }: Operation) => names.has(phase);
  };
  return {
    mode,
    stalenessMs: STALENESS_MS,
    windowMs: GRACE_WINDOW_MS,
    skewMs: CLOCK_SKEW_MS,
    outcomeUnknown: during("region"),
    unrecordable: during("redis"),
  };
}
