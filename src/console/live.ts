import { computed, effect, signal } from "@preact/signals";
import type { RecentAnswer } from "../admin/decision-messages.ts";
import type { DrillsAnswer } from "../admin/drill-messages.ts";
import type { EdgesAnswer, ScheduleAnswer } from "../admin/fleet-messages.ts";
import type { StatusAnswer } from "../admin/messages.ts";
import type { RegionAnswer } from "../admin/region-messages.ts";
import { look } from "./api.ts";
import { type Limits, staleMs } from "./condition.ts";
import { route } from "./route.ts";
import { gate } from "./session.ts";

export const status = signal<StatusAnswer | null>(null);
export const regions = signal<readonly RegionAnswer[]>([]);
export const edges = signal<EdgesAnswer | null>(null);
export const drills = signal<DrillsAnswer | null>(null);
export const schedule = signal<ScheduleAnswer | null>(null);
export const decisions = signal<RecentAnswer["decisions"]>([]);
export const limits = signal<Limits>({ maxLagMs: Number.POSITIVE_INFINITY });
export const decisionsPaused = signal(false);
/** Whether the list stands still, so that it can be read: when somebody wants that, and while one of it is looked at. */
export const decisionsStill = computed(() => {
  const { view, item } = route.value;
  return view === "decisions" && (decisionsPaused.value || item !== null);
});

export const nowMs = signal(Date.now());
const heardAtMs = signal<number | null>(null);

/** How long ago the edge was last heard; null while what is shown is the present. */
export const stale = computed(() => staleMs(heardAtMs.value, nowMs.value));
export const mayChange = computed(() => status.value?.caller?.role === "operator");
export const totalRate = computed(() => regions.value.reduce((sum, each) => sum + each.requestsPerSecond, 0));

/** What each region was sent, a sample each second, the newest last. */
export const history = signal<ReadonlyMap<string, readonly number[]>>(new Map());
const SAMPLES = 90;

/** Asks again and again while the page is looked at and let in; {@link refresh} asks at once. */
class Poll {
  readonly #ask: () => Promise<void>;
  readonly #everyMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;

  constructor(everyMs: number, ask: () => Promise<void>) {
    this.#everyMs = everyMs;
    this.#ask = ask;
  }

  readonly run = async (): Promise<void> => {
    clearTimeout(this.#timer);
    if (document.hidden || gate.value !== null || this.#asking) return;
    this.#asking = true;
    await this.#ask().catch(() => undefined);
    this.#asking = false;
    this.#timer = setTimeout(this.run, this.#everyMs);
  };
}

const POLLS = [
  new Poll(1_000, async () => {
    const [asked, { regions: found }] = await Promise.all([
      look<StatusAnswer>("v1/status"),
      look<{ regions: RegionAnswer[] }>("v1/regions"),
    ]);
    if (asked.configVersion !== status.value?.configVersion) await askLimits();
    [status.value, regions.value, heardAtMs.value] = [asked, found, Date.now()];
    remember(found);
  }),
  new Poll(2_000, async () => {
    edges.value = await look<EdgesAnswer>("v1/edges");
  }),
  new Poll(1_500, async () => {
    const keeps = () => decisionsStill.value && decisions.value.length > 0;
    if (keeps()) return;
    const answer = await look<RecentAnswer>("v1/decisions?limit=100");
    if (!keeps()) decisions.value = answer.decisions;
  }),
  new Poll(2_000, async () => {
    drills.value = await look<DrillsAnswer>("v1/drills");
  }),
  new Poll(30_000, async () => {
    schedule.value = await look<ScheduleAnswer>("v1/schedule");
  }),
];

/** Asks everything at once: after a change, and when the page is looked at again. */
export function refresh(): void {
  for (const { run } of POLLS) void run();
}

export function start(): void {
  setInterval(() => {
    if (!document.hidden) nowMs.value = Date.now();
  }, 1_000);
  document.addEventListener("visibilitychange", refresh);
  effect(() => {
    if (gate.value === null) refresh();
  });
}

async function askLimits(): Promise<void> {
  const { config } = await look<{ config: { health?: { maxLag?: unknown } } }>("v1/config");
  const maxLagMs = inMilliseconds(config.health?.maxLag);
  if (maxLagMs !== null) limits.value = { maxLagMs };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function inMilliseconds(given: unknown): number | null {
  if (typeof given === "number") return given;
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(String(given)) ?? [];
  return number === undefined ? null : Number(number) * (UNITS[unit] ?? 1);
}

function remember(found: readonly RegionAnswer[]): void {
  const before = history.value;
  history.value = new Map(
    found.map(({ id, requestsPerSecond }) => [
      id,
      [...(before.get(id) ?? []), requestsPerSecond].slice(-SAMPLES),
    ]),
  );
}
