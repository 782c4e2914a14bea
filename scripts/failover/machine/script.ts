import { oneOf } from "../../chaos/random.ts";
import type { Death } from "./life.ts";
import type { HookAct } from "./sim-world.ts";

export const EDGES = ["edge-1", "edge-2", "edge-3"] as const;
/** Of the calls that each step takes, about. */
const MOST_CALLS = { hold: 8, "catch-up": 6, hook: 3, verify: 6 } as const;
const STEPS = Object.keys(MOST_CALLS) as (keyof typeof MOST_CALLS)[];

/** What is done in a run, all by its seed. */
export interface Script {
  readonly kind: "move" | "two moves" | "writer dies";
  readonly deaths: readonly (Death | null)[];
  readonly hook: readonly HookAct[];
  /** When Redis loses all; null when it does not. */
  readonly emptiedAtMs: number | null;
  /** Which edge cannot reach Redis, from when on, and for how long; null when all can. */
  readonly stall: { readonly edge: number; readonly atMs: number; readonly forMs: number } | null;
}

export function scriptOf(chance: () => number): Script {
  const kind = oneOf(["move", "move", "two moves", "writer dies"] as const, chance);
  const dies = (share: number): Death | null => {
    const step = oneOf(STEPS, chance);
    const death = { step, atCall: 1 + Math.floor(chance() * MOST_CALLS[step]), before: chance() < 0.5 };
    return chance() < share ? death : null;
  };
  const act = (): HookAct =>
    oneOf(["works", "works", "works", "fails", "fails-after-work", "hangs", "late", "late"] as const, chance);
  return {
    kind,
    deaths: [dies(0.7), dies(0.3), null],
    hook: [act(), act(), "works"],
    emptiedAtMs: chance() < 0.25 ? chance() * 3_000 : null,
    stall:
      chance() < 0.25
        ? { edge: Math.floor(chance() * EDGES.length), atMs: chance() * 2_000, forMs: 200 + chance() * 3_000 }
        : null,
  };
}

/** Whether a promoter that stops the old writer late can do harm although every edge keeps the rules. */
export function needsCare({ kind, hook, stall }: Script): boolean {
  return kind === "writer dies" || stall !== null || hook.includes("late");
}

/** Nothing is broken until the first move is done. */
export function isUndisturbed({ kind, deaths, hook, emptiedAtMs, stall }: Script): boolean {
  const isWhole = emptiedAtMs === null && stall === null && deaths.every((death) => death === null);
  return kind !== "writer dies" && isWhole && hook[0] === "works";
}
