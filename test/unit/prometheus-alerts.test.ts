import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, "../..");
const RULES = ["rules", "alerts"].map((name) => path.join(ROOT, `deploy/prometheus/${name}.yaml`));

interface Alert {
  readonly alert: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

async function alerts(): Promise<readonly Alert[]> {
  const { groups } = parse(await readFile(RULES[1] ?? "", "utf8")) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

const EDGES = ["one", "two", "three"];
const REGIONS = ["us-east", "eu-west"];

/** Series of one edge in promtool's notation: `NAME{LABELS}` and how it goes on, minute by minute. */
type Series = Readonly<Record<string, string>>;

/** A ratio over three days is that of what there was of them, so hours are enough, and promtool takes a second for each. */
const ALWAYS = 400;
const steady = (value: number) => `${value}+0x${ALWAYS}`;
const rising = (perMinute: number) => `0+${perMinute}x${ALWAYS}`;
/** Steady for so long, then otherwise. */
const from = (minute: number, before: number, after: number) =>
  `${before}+0x${minute - 1} ${after}+0x${ALWAYS - minute}`;
/** A counter that begins to rise at that minute. */
const risingFrom = (minute: number, perMinute: number) =>
  `0+0x${minute - 1} 0+${perMinute}x${ALWAYS - minute}`;

const CALM: Series = {
  up: steady(1),
  'meridian_build_info{version="1"}': steady(1),
  'meridian_requests_total{reason="latency",region="eu-west"}': rising(6_000),
  'meridian_requests_total{reason="pin-unknown",region="us-east"}': rising(0),
  'meridian_faults_total{owner="client"}': rising(60),
  'meridian_faults_total{owner="region"}': rising(0),
  'meridian_consistency_total{outcome="kept"}': rising(5_900),
  'meridian_consistency_total{outcome="degraded"}': rising(0),
  'meridian_consistency_total{outcome="lost"}': rising(0),
  meridian_retry_budget_exhausted_total: rising(0),
  meridian_redis_up: steady(1),
  meridian_write_epoch: steady(3),
  meridian_write_region_moving: steady(0),
  meridian_config_last_reload_successful: steady(1),
  'meridian_overload{cause="event_loop"}': steady(0),
  'meridian_overload{cause="memory"}': steady(0),
  'meridian_event_loop_lag_seconds{quantile="0.99"}': steady(0.012),
  'meridian_event_loop_lag_seconds{quantile="1"}': steady(0.3),
  'meridian_uncaught_errors_total{origin="uncaughtException"}': rising(0),
  'meridian_certificate_expiry_timestamp_seconds{certificate="listen.https"}': steady(90 * 86_400),
  'meridian_calendar_misses_total{kind="drill",result="missed"}': rising(0),
  'meridian_write_region{region="us-east"}': steady(1),
  'meridian_write_region{region="eu-west"}': steady(0),
  ...Object.assign({}, ...REGIONS.map(calmRegion)),
};

function calmRegion(region: string): Series {
  return {
    [`meridian_region_health{region="${region}",state="up"}`]: steady(1),
    [`meridian_region_health{region="${region}",state="degraded"}`]: steady(0),
    [`meridian_region_health{region="${region}",state="down"}`]: steady(0),
    [`meridian_region_admission{region="${region}",state="draining"}`]: steady(0),
    [`meridian_region_admission{region="${region}",state="closed"}`]: steady(0),
    [`meridian_region_lag_seconds{region="${region}"}`]: steady(0.4),
    [`meridian_region_fenced{region="${region}"}`]: steady(0),
    [`meridian_requests_in_flight{region="${region}"}`]: steady(7),
    [`meridian_tunnels{region="${region}"}`]: steady(2),
    [`meridian_event_streams{region="${region}"}`]: steady(0),
    [`meridian_drills_total{region="${region}",result="passed"}`]: rising(0.001),
    [`meridian_drills_total{region="${region}",result="aborted"}`]: rising(0),
    [`meridian_drills_total{region="${region}",result="lost"}`]: rising(0),
  };
}

interface Fault {
  readonly what: string;
  /** Of those edges: what differs from the calm. */
  readonly at?: readonly string[];
  readonly change: Series;
  /** When to look. */
  readonly minute?: number;
  readonly fires: readonly string[];
}

const health = (region: string, down: number): Series => ({
  [`meridian_region_health{region="${region}",state="up"}`]: from(60, 1, 1 - down),
  [`meridian_region_health{region="${region}",state="down"}`]: from(60, 0, down),
});
const share = (perMinute: number, minute = 60): Series => ({
  'meridian_faults_total{owner="region"}': risingFrom(minute, perMinute),
});
const closed = { 'meridian_region_admission{region="eu-west",state="closed"}': from(60, 0, 1) };
const draining = { 'meridian_region_admission{region="eu-west",state="draining"}': from(60, 0, 1) };
const empty = {
  'meridian_requests_in_flight{region="eu-west"}': steady(0),
  'meridian_tunnels{region="eu-west"}': steady(0),
};

const FAULTS: readonly Fault[] = [
  { what: "calm", change: {}, minute: 150, fires: [] },
  { what: "a region down at all edges", change: health("eu-west", 1), fires: ["MeridianRegionDown"] },
  { what: "a region down at one edge of three", at: ["one"], change: health("eu-west", 1), fires: [] },
  {
    what: "the write region down",
    change: health("us-east", 1),
    fires: ["MeridianRegionDown", "MeridianWriterDown"],
  },
  {
    what: "every region down",
    change: { ...health("us-east", 1), ...health("eu-west", 1) },
    fires: ["MeridianNoRegionUp", "MeridianRegionDown", "MeridianWriterDown"],
  },
  {
    what: "a move of the write region",
    change: { meridian_write_epoch: from(60, 3, 4) },
    fires: ["MeridianWriteEpochChanged"],
  },
  { what: "a move of an hour ago", change: { meridian_write_epoch: from(20, 3, 4) }, minute: 80, fires: [] },
  {
    what: "a move that one edge has not heard of",
    at: ["one", "two"],
    change: { meridian_write_epoch: from(60, 3, 4) },
    fires: ["MeridianEdgesDisagree", "MeridianWriteEpochChanged"],
  },
  {
    what: "a move without an end",
    change: { meridian_write_region_moving: from(60, 0, 1) },
    fires: ["MeridianWriteMoveStuck"],
  },
  {
    what: "two writers",
    change: { 'meridian_region_fenced{region="us-east"}': from(60, 0, 1) },
    fires: ["MeridianRegionFenced"],
  },
  {
    what: "a replica that lags",
    change: { 'meridian_region_lag_seconds{region="eu-west"}': from(60, 0.4, 4.5) },
    fires: ["MeridianReplicaLagHigh"],
  },
  { what: "a closed region with tunnels", change: closed, minute: 75, fires: ["MeridianDrainStuck"] },
  { what: "a closed region that is empty", change: { ...closed, ...empty }, minute: 75, fires: [] },
  { what: "a drain of half an hour", change: draining, minute: 90, fires: [] },
  { what: "a drain that was forgotten", change: draining, minute: 140, fires: ["MeridianDrainStuck"] },
  {
    what: "degraded answers",
    change: { 'meridian_consistency_total{outcome="degraded"}': risingFrom(60, 60) },
    fires: ["MeridianConsistencyDegraded"],
  },
  {
    what: "lost writes",
    change: { 'meridian_consistency_total{outcome="lost"}': from(60, 0, 2) },
    fires: ["MeridianWritesLost"],
  },
  {
    what: "readers whose pins are unknown",
    change: { 'meridian_requests_total{reason="pin-unknown",region="us-east"}': risingFrom(60, 1_000) },
    minute: 75,
    fires: ["MeridianOverPinning"],
  },
  {
    what: "one edge cut off from Redis",
    at: ["two"],
    change: { meridian_redis_up: from(60, 1, 0) },
    fires: ["MeridianRedisAway"],
  },
  {
    what: "retries refused",
    change: { meridian_retry_budget_exhausted_total: risingFrom(60, 30) },
    fires: ["MeridianRetryBudgetSpent"],
  },
  {
    what: "5 % of the requests failing",
    change: share(300, 120),
    minute: 160,
    fires: ["MeridianErrorBudgetBurnFast"],
  },
  {
    what: "5 % for one minute, long ago",
    change: { 'meridian_faults_total{owner="region"}': `0+0x119 0 300+0x${ALWAYS - 120}` },
    minute: 160,
    fires: [],
  },
  {
    what: "0.8 % of the requests failing since this morning",
    change: share(48, 30),
    minute: 380,
    fires: ["MeridianErrorBudgetBurnFast", "MeridianErrorBudgetBurnSlow"],
  },
  {
    what: "0.4 % of the requests failing for a day",
    change: share(24, 10),
    minute: 260,
    fires: ["MeridianErrorBudgetBurnSlow"],
  },
  { what: "0.05 % of the requests failing for days", change: share(3, 10), minute: 150, fires: [] },
  {
    what: "an edge that does not answer",
    at: ["three"],
    change: { up: from(60, 1, 0) },
    fires: ["MeridianEdgeDown"],
  },
  {
    what: "no edge",
    change: Object.fromEntries(Object.keys(CALM).map((name) => [name, "_"])),
    fires: ["MeridianEdgesAbsent"],
  },
  {
    what: "a refused file",
    at: ["one"],
    change: { meridian_config_last_reload_successful: from(60, 1, 0) },
    fires: ["MeridianReloadFailed"],
  },
  {
    what: "a slow event loop",
    change: { 'meridian_event_loop_lag_seconds{quantile="0.99"}': from(60, 0.012, 0.25) },
    fires: ["MeridianEventLoopSlow"],
  },
  {
    what: "too little memory",
    at: ["one"],
    change: { 'meridian_overload{cause="memory"}': from(60, 0, 1) },
    fires: ["MeridianOverload"],
  },
  {
    what: "a bug",
    at: ["one"],
    change: { 'meridian_uncaught_errors_total{origin="uncaughtException"}': from(60, 0, 1) },
    fires: ["MeridianUncaughtErrors"],
  },
  {
    what: "a certificate that ends in ten days",
    change: {
      'meridian_certificate_expiry_timestamp_seconds{certificate="listen.https"}': steady(10 * 86_400),
    },
    fires: ["MeridianCertificateNearEnd"],
  },
  {
    what: "a drill that was aborted",
    at: ["two"],
    change: { 'meridian_drills_total{region="eu-west",result="aborted"}': from(60, 0, 1) },
    fires: ["MeridianDrillFailed"],
  },
  {
    what: "a drill that nobody began",
    change: { 'meridian_calendar_misses_total{kind="drill",result="missed"}': from(60, 0, 1) },
    fires: ["MeridianCalendarMissed"],
  },
];

function inputOf({ at = EDGES, change }: Fault): readonly { series: string; values: string }[] {
  return EDGES.flatMap((edge) =>
    Object.entries(at.includes(edge) ? { ...CALM, ...change } : CALM).map(([name, values]) => ({
      series: withLabels(name, `job="meridian",instance="${edge}"`),
      values,
    })),
  );
}

function withLabels(name: string, more: string): string {
  return name.endsWith("}") ? `${name.slice(0, -1)},${more}}` : `${name}{${more}}`;
}

/** As promtool reads it: what fires, by name, and nothing else. */
function caseOf(fault: Fault) {
  return {
    interval: "1m",
    input_series: inputOf(fault),
    promql_expr_test: [
      {
        expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${fault.minute ?? 66}m`,
        exp_samples: fault.fires.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      },
    ],
  };
}

describe("the alerts", { concurrency: 2 }, () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "meridian-alerts-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it("are rules and a configuration that Prometheus takes", async () => {
    await run("promtool", ["check", "rules", ...RULES]);
    await run("promtool", ["check", "config", path.join(ROOT, "deploy/prometheus/prometheus.yaml")]);
  });

  for (const fault of FAULTS)
    it(`${fault.fires.length === 0 ? "are silent" : "fire"} on ${fault.what}`, async () => {
      const file = path.join(directory, `${FAULTS.indexOf(fault)}.yaml`);
      await writeFile(
        file,
        stringify({ rule_files: RULES, evaluation_interval: "1m", tests: [caseOf(fault)] }),
      );
      await run("promtool", ["test", "rules", file]).catch(({ stdout, stderr }) =>
        assert.fail(`${stdout}${stderr}`),
      );
    });

  it("have each a fault here that they fire on", async () => {
    const fired = new Set(FAULTS.flatMap(({ fires }) => fires));
    assert.deepEqual([...fired].sort(), (await alerts()).map(({ alert }) => alert).sort());
  });

  it("have each an entry in the runbook, which has one for each of them", async () => {
    const runbook = await readFile(path.join(ROOT, "docs/runbooks/alerts.md"), "utf8");
    const entries = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, name = ""]) => name);
    assert.deepEqual(
      entries,
      (await alerts()).map(({ alert }) => alert),
    );
    for (const entry of runbook.split(/^## /m).slice(1))
      for (const part of ["**Who is hurt.** ", "**Look at**", "**Do**"])
        assert.ok(entry.includes(part), entry);
    for (const [link = "", , anchor = ""] of runbook.matchAll(/\]\(#(\w+)\)|\]\(#(\w+)\)/g)) {
      const name = link.slice(3, -1) || anchor;
      assert.ok(
        entries.some((entry) => entry.toLowerCase() === name),
        link,
      );
    }
  });

  it("say each how bad it is, what it is, and where the runbook is", async () => {
    for (const { alert, labels, annotations } of await alerts()) {
      assert.match(labels.severity, /^(critical|warning|info)$/, alert);
      assert.deepEqual(Object.keys(annotations), ["summary", "description", "runbook_url"], alert);
      assert.equal(annotations.runbook_url, `docs/runbooks/alerts.md#${alert.toLowerCase()}`);
    }
  });
});
