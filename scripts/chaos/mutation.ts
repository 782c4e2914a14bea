import type { Mode } from "./checker.ts";
import { violations } from "./checker.ts";
import { FAULTS } from "./faults.ts";
import { type ChaosResult, runChaos } from "./run.ts";

interface Trial {
  readonly name: string;
  readonly pins: string;
  readonly mode: Mode;
  readonly failover: boolean;
  /** Whether the checker has to find something. */
  readonly caught: boolean;
}

const trial = (name: string, pins: string, caught: boolean, more: Partial<Trial> = {}): Trial => ({
  name,
  pins,
  caught,
  mode: "strict",
  failover: false,
  ...more,
});

const TRIALS: readonly Trial[] = [
  trial("SET at request start, with the window only", "set-at-start", true),
  trial("SET after the response, not awaited", "set-after-not-awaited", true),
  trial("SET after the response, awaited", "set-after-awaited", true),
  trial("that, with a 1 s negative cache", "negative-cache", true),
  trial("released after one region, unconditional DEL", "early-release", true),
  trial("released by position while a write is open", "writes-in-flight-ignored", true),
  trial("cookie only, two devices", "as-built", true, { mode: "cookie" }),
  trial("BEGIN and END, as built", "as-built", false),
  trial("Redis failover losing 300 ms, no quarantine", "no-quarantine", true, { failover: true }),
  trial("Redis failover losing 300 ms, as built", "as-built", false, { failover: true }),
];

/** More writes, more of them slow and more answers lost than in a fault's run: a mistake has to show within seconds. */
const TRAFFIC = { users: 80, thinkMs: 700, writeShare: 0.05, slowUploadShare: 0.08, loseShare: 0.06 };

export interface MutationOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Only builds with one of these in their name; none: all. */
  readonly builds: readonly string[];
  readonly say: (line: string) => void;
}

/** Plays each wrong build for `seconds`, and says what it did. Resolves to whether all were judged right. */
export async function playMutants({ seed, seconds, builds, say }: MutationOptions): Promise<boolean> {
  say(["build".padEnd(46), "reads", "writes", "RYW", "MR", ""].map((cell) => cell.padStart(7)).join(" "));
  let right = true;
  const wanted = TRIALS.filter(
    ({ name }) => builds.length === 0 || builds.some((word) => name.includes(word)),
  );
  for (const each of wanted) {
    const faults = FAULTS.filter(({ name }) => each.failover && name === "redis-failover");
    const { mode, pins } = each;
    const result = await runChaos({
      ...{ seed, seconds, mode, pins, faults, traffic: TRAFFIC },
      judgedAs: "strict",
      calmMs: 2_000,
    });
    const broken = count(result, "stale") + count(result, "not-monotonic") > 0;
    right &&= broken === each.caught;
    say(line(each, result, broken));
  }
  return right;
}

function line({ name, caught }: Trial, result: ChaosResult, broken: boolean): string {
  const { operations } = result.history;
  const kinds = (["read", "write"] as const).map(
    (wanted) => operations.filter(({ kind }) => kind === wanted).length,
  );
  const cells = [name.padEnd(46), ...kinds, count(result, "stale"), count(result, "not-monotonic")];
  const verdict = broken === caught ? (caught ? "caught" : "holds") : caught ? "NOT CAUGHT" : "BROKEN";
  return [...cells, verdict].map((cell) => String(cell).padStart(7)).join(" ");
}

function count({ findings }: ChaosResult, wanted: string): number {
  return violations(findings).filter(({ kind }) => kind === wanted).length;
}
