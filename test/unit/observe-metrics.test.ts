import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { afterEach, describe, it } from "node:test";
import { type EdgeEvents, EventBus } from "../../src/events.ts";
import { type Gauges, Metrics } from "../../src/observe/metrics.ts";
import { record, region, view } from "./observe-samples.ts";

const opened: Metrics[] = [];

function watch(gauges: Partial<Gauges> = {}) {
  const events = new EventBus();
  const all: Gauges = {
    view: () => view([region("us-east", { role: "writer" }), region("eu-west")]),
    tunnels: () => new Map(),
    streams: () => new Map(),
    pinsActive: () => 0,
    connections: () => ({ http: 0 }),
    connectionsMost: () => 1,
    overload: () => [],
    regionLoad: () => ({ inFlight: 0, queued: 0 }),
    pinStorms: () => 0,
    fleet: () => ({ liveEdges: 1, silentEdges: 0, ageMs: 250, writesHeld: 0, writesUnderWay: 0 }),
    drills: () => ({ running: null, recoveriesMs: new Map([["us-east", 2_400]]) }),
    redisUp: () => true,
    feedAgeMs: () => 250,
    certificateExpiries: () => new Map([["listen.https", 1_800_000_000_000]]),
    workers: () => ({ listening: 1, restarts: 0 }),
    logLinesDropped: () => 0,
    ...gauges,
  };
  const metrics = new Metrics(events, all, { version: "1.2.3", edge: "e1" });
  opened.push(metrics);
  return { events, metrics };
}

afterEach(() => {
  for (const metrics of opened.splice(0)) metrics.close();
});

/** The value of one sample of a scrape; undefined when it is not there. */
async function sample(metrics: Metrics, series: string): Promise<number | undefined> {
  const line = (await metrics.render()).split("\n").find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** One of each event, so that every metric has a sample. */
function feedEverything(events: EventBus): void {
  events.emit("requestDone", record({ fault: "reset", status: 502 }));
  events.emit("retried", { fault: "connect_failed" });
  events.emit("retryBudgetExhausted", {});
  events.emit("probed", {
    region: "us-east",
    endpoint: "http://a",
    result: "pass",
    roundTripMs: 3,
    cause: null,
  });
  events.emit("healthChanged", { region: "us-east", from: "up", to: "down", cause: "timeout" });
  events.emit("pinned", { action: "begin" });
  events.emit("pinLookedUp", { durationMs: 0.7, result: "free" });
  events.emit("pinStoreFailed", { op: "begin", cause: "timeout" });
  events.emit("adminRefused", { fault: "unauthenticated" });
  events.emit("lockedOut", { address: "10.0.0.9", wrongTokens: 10, lastsMs: 60_000 });
  events.emit("configReloaded", { result: "applied", changes: [], problems: [] });
}

describe("metrics", () => {
  it("says whether the file that was read last is in force", async () => {
    const { events, metrics } = watch();
    const successful = () => sample(metrics, "meridian_config_last_reload_successful");
    assert.equal(await successful(), 1);
    events.emit("configReloaded", { result: "rejected", changes: [], problems: ["bad"] });
    assert.equal(await successful(), 0);
    events.emit("configReloaded", { result: "unchanged", changes: [], problems: [] });
    assert.equal(await successful(), 1);
  });

  it("counts the windows of the calendar that were not begun, and no other warning", async () => {
    const { events, metrics } = watch();
    for (const what of [
      "drill missed",
      "drill refused",
      "drill put off",
      "maintenance missed",
      "few descriptors",
    ])
      events.emit("warned", { what, detail: "" });
    const misses = (kind: string, result: string) =>
      sample(metrics, `meridian_calendar_misses_total{kind="${kind}",result="${result}"}`);
    assert.deepEqual(
      await Promise.all(["missed", "refused"].map((result) => misses("drill", result))),
      [1, 1],
    );
    assert.equal(await misses("maintenance", "missed"), 1);
    assert.equal(await misses("maintenance", "refused"), 0);
  });

  it("counts a request by region, method, class of status and reason", async () => {
    const { events, metrics } = watch();
    events.emit("requestDone", record({ region: "eu-west", method: "GET", status: 204, reason: "latency" }));
    events.emit("requestDone", record({ region: "eu-west", method: "GET", status: 200, reason: "latency" }));
    const series = 'meridian_requests_total{region="eu-west",method="GET",code_class="2xx",reason="latency"}';
    assert.equal(await sample(metrics, series), 2);
  });

  it("gives a method that clients invented the label OTHER", async () => {
    const { events, metrics } = watch();
    for (const method of ["BREW", "get", "PROPFIND"]) events.emit("requestDone", record({ method }));
    const text = await metrics.render();
    assert.match(text, /meridian_requests_total\{region="eu-west",method="OTHER",[^}]*\} 3\n/);
    assert.doesNotMatch(text, /BREW|PROPFIND/);
  });

  it("counts a refusal under region none, as a fault with its owner, and not as served", async () => {
    const { events, metrics } = watch();
    events.emit(
      "requestDone",
      record({
        region: null,
        reason: null,
        status: 503,
        fault: "no_region",
        upstreamMs: null,
        overheadMs: null,
      }),
    );
    const series = 'meridian_requests_total{region="none",method="GET",code_class="5xx",reason="none"}';
    assert.equal(await sample(metrics, series), 1);
    assert.equal(
      await sample(metrics, 'meridian_faults_total{fault="no_region",owner="router",region="none"}'),
      1,
    );
    assert.equal(await sample(metrics, 'meridian_consistency_total{outcome="kept"}'), 0);
    assert.equal(await sample(metrics, 'meridian_upstream_duration_seconds_count{region="none"}'), undefined);
    assert.equal(await sample(metrics, 'meridian_request_duration_seconds_count{region="none"}'), 1);
  });

  it("measures in seconds, with a bucket for what takes less than a millisecond at the edge", async () => {
    const { events, metrics } = watch();
    events.emit("requestDone", record({ durationMs: 30, upstreamMs: 20, overheadMs: 0.2 }));
    assert.equal(await sample(metrics, 'meridian_request_duration_seconds_sum{region="eu-west"}'), 0.03);
    assert.equal(await sample(metrics, 'meridian_upstream_duration_seconds_sum{region="eu-west"}'), 0.02);
    assert.equal(await sample(metrics, 'meridian_edge_overhead_seconds_bucket{le="0.0001"}'), 0);
    assert.equal(await sample(metrics, 'meridian_edge_overhead_seconds_bucket{le="0.00025"}'), 1);
  });

  it("leaves the life of a tunnel out of the request durations", async () => {
    const { events, metrics } = watch();
    events.emit("requestDone", record({ protocol: "websocket", status: 101, durationMs: 3_600_000 }));
    const series = 'meridian_request_duration_seconds_count{region="eu-west"}';
    assert.equal(await sample(metrics, series), undefined);
  });

  it("counts what became of the guarantee and of the session", async () => {
    const { events, metrics } = watch();
    events.emit("requestDone", record({ consistency: null, affinity: "hit" }));
    events.emit("requestDone", record({ consistency: "degraded", affinity: "moved" }));
    assert.equal(await sample(metrics, 'meridian_consistency_total{outcome="kept"}'), 1);
    assert.equal(await sample(metrics, 'meridian_consistency_total{outcome="degraded"}'), 1);
    assert.equal(await sample(metrics, 'meridian_affinity_total{result="moved"}'), 1);
    assert.equal(await sample(metrics, 'meridian_affinity_total{result="new"}'), 0);
  });

  it("shows each region in exactly one health and one admission", async () => {
    const { metrics } = watch({
      view: () => view([region("eu-west", { health: "down", admission: "draining" })]),
    });
    const text = await metrics.render();
    const ones = text.match(/^meridian_region_(health|admission)\{.*\} 1$/gm);
    assert.deepEqual(ones, [
      'meridian_region_health{region="eu-west",state="down"} 1',
      'meridian_region_admission{region="eu-west",state="draining"} 1',
    ]);
  });

  it("leaves out a latency and a lag that nobody measured", async () => {
    const { metrics } = watch({
      view: () => view([region("a", { latencyMs: 25, lagMs: null }), region("b", { latencyMs: null })]),
    });
    assert.equal(await sample(metrics, 'meridian_region_latency_seconds{region="a"}'), 0.025);
    assert.equal(await sample(metrics, 'meridian_region_latency_seconds{region="b"}'), undefined);
    assert.equal(await sample(metrics, 'meridian_region_lag_seconds{region="a"}'), undefined);
  });

  it("forgets the gauges of a region that a reload took away", async () => {
    let now = view([region("a"), region("b")]);
    const { metrics } = watch({
      view: () => now,
      tunnels: () => new Map([["b", 4]]),
      streams: () => new Map([["b", 3]]),
    });
    assert.equal(await sample(metrics, 'meridian_tunnels{region="b"}'), 4);
    assert.equal(await sample(metrics, 'meridian_event_streams{region="b"}'), 3);
    now = view([region("a")]);
    assert.doesNotMatch(
      await metrics.render(),
      /^meridian_(tunnels|event_streams|region_\w+|write_region)\{region="b"/m,
    );
  });

  it("names the write region, or every writer when all of them take writes", async () => {
    const regions = [
      region("a", { role: "writer" }),
      region("b", { role: "writer" }),
      region("c", { role: "replica" }),
    ];
    const single = watch({ view: () => view(regions, { writeRegion: "b", epoch: 3 }) }).metrics;
    assert.match(await single.render(), /write_region\{region="a"\} 0\n.*"b"\} 1\n.*"c"\} 0\n/);
    assert.equal(await sample(single, "meridian_write_epoch"), 3);
    const multi = watch({ view: () => view(regions, { writeRegion: null }) }).metrics;
    assert.match(await multi.render(), /write_region\{region="a"\} 1\n.*"b"\} 1\n.*"c"\} 0\n/);
  });

  it("says whether Redis answers, and nothing when there is none", async () => {
    let up: boolean | null = true;
    const { metrics } = watch({ redisUp: () => up });
    assert.equal(await sample(metrics, "meridian_redis_up"), 1);
    up = false;
    assert.equal(await sample(metrics, "meridian_redis_up"), 0);
    up = null;
    assert.equal(await sample(metrics, "meridian_redis_up"), undefined);
  });

  it("says how old what other edges wrote is, and nothing where they are not followed", async () => {
    let ageMs: number | null = 250;
    const { events, metrics } = watch({ feedAgeMs: () => ageMs });
    assert.equal(await sample(metrics, "meridian_pin_feed_age_seconds"), 0.25);
    ageMs = null;
    assert.equal(await sample(metrics, "meridian_pin_feed_age_seconds"), undefined);
    events.emit("feedState", { behind: true, cause: "timeout" });
    events.emit("feedState", { behind: false, cause: null });
    assert.equal(await sample(metrics, "meridian_pin_feed_behind_total"), 1);
  });

  it("shows the drill that runs, how the last went, and counts only those that this edge has summed up", async () => {
    const recoveriesMs = new Map([
      ["eu-west", 2_400],
      ["us-east", null],
      ["gone", 1],
    ]);
    const { events, metrics } = watch({ drills: () => ({ running: "eu-west", recoveriesMs }) });
    const ended: Omit<EdgeEvents["drillEnded"], "reportedHere"> = {
      ...{
        drill: "d",
        region: "eu-west",
        kind: "drain",
        result: "aborted",
        why: "",
        lastedMs: 1,
        shiftMs: null,
      },
      ...{ detectMs: { first: 1, last: 2 }, recoveryMs: null, requests: 3, lost: 2, retried: 1 },
    };
    const aborted = 'meridian_drills_total{region="eu-west",result="aborted"}';
    assert.equal(await sample(metrics, aborted), 0);
    events.emit("drillEnded", { ...ended, reportedHere: false });
    events.emit("drillEnded", { ...ended, reportedHere: true });
    assert.equal(await sample(metrics, aborted), 1);
    assert.equal(await sample(metrics, 'meridian_drill_running{region="eu-west"}'), 1);
    assert.equal(await sample(metrics, 'meridian_drill_running{region="us-east"}'), 0);
    assert.equal(await sample(metrics, 'meridian_drill_recovery_seconds{region="eu-west"}'), 2.4);
    assert.equal(await sample(metrics, 'meridian_drill_recovery_seconds{region="us-east"}'), undefined);
    assert.equal(await sample(metrics, 'meridian_drill_recovery_seconds{region="gone"}'), undefined);
  });

  it("counts lost log lines once, however often it is scraped", async () => {
    let dropped = 0;
    const { metrics } = watch({ logLinesDropped: () => dropped });
    dropped = 5;
    assert.equal(await sample(metrics, "meridian_log_lines_dropped_total"), 5);
    assert.equal(await sample(metrics, "meridian_log_lines_dropped_total"), 5);
  });

  it("reports how late the event loop was, and starts anew after each scrape", async () => {
    const { metrics } = watch();
    await new Promise((done) => setTimeout(done, 50));
    const until = performance.now() + 300;
    while (performance.now() < until);
    await new Promise((done) => setTimeout(done, 50));
    const worst = 'meridian_event_loop_lag_seconds{quantile="1"}';
    const blocked = (await sample(metrics, worst)) ?? 0;
    const after = (await sample(metrics, worst)) ?? 1;
    assert.ok(blocked > 0.2 && blocked < 10, `worst was ${blocked}`);
    assert.ok(after < blocked, `${after} after ${blocked}`);
  });

  it("shows a zero before the first fault and the first change of health, for a rate to rise from", async () => {
    const { metrics } = watch();
    const zeros = [
      'meridian_faults_total{fault="no_region",owner="router",region="none"}',
      'meridian_faults_total{fault="reset",owner="region",region="eu-west"}',
      'meridian_health_transitions_total{region="eu-west",to="down"}',
      'meridian_retries_total{reason="connect_failed"}',
    ];
    for (const series of zeros) assert.equal(await sample(metrics, series), 0, series);
  });

  it("has a sample of every metric once everything has happened", async () => {
    const { events, metrics } = watch({
      view: () => view([region("us-east", { latencyMs: 1, lagMs: 2 })]),
    });
    feedEverything(events);
    const text = await metrics.render();
    const registered = [...text.matchAll(/^# TYPE (meridian_\w+)/gm)].map(([, name]) => name);
    const empty = registered.filter((name) => !new RegExp(`^${name}(_count)?(\\{.*\\})? `, "m").test(text));
    assert.deepEqual(empty, []);
    assert.ok(registered.length > 25);
  });

  it("stops listening when it is closed", () => {
    const { events, metrics } = watch();
    assert.ok(events.listenerCount("requestDone") === 1 && events.listenerCount("probed") === 1);
    metrics.close();
    assert.deepEqual(events.eventNames(), []);
  });

  it("carries the process's own metrics, once for two edges of one process", async () => {
    watch();
    const text = await watch().metrics.render();
    assert.equal(text.match(/^# TYPE process_resident_memory_bytes gauge$/gm)?.length, 1);
    assert.doesNotMatch(text, /nodejs_eventloop|nodejs_active/);
  });

  it("is described in docs/metrics.md: each name, its type and its labels", async () => {
    const { events, metrics } = watch({
      view: () => view([region("us-east", { latencyMs: 1, lagMs: 2 })]),
    });
    feedEverything(events);
    const text = await metrics.render();
    const docs = await readFile(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    const described = [...docs.matchAll(/^\| `(meridian_\w+)`\s*\|\s*(\w+)\s*\|([^|]*)\|/gm)].map(
      ([, name, type, labels]) => `${name} ${type} ${(labels ?? "").replaceAll("`", "").trim()}`.trim(),
    );
    const registered = [...text.matchAll(/^# TYPE (meridian_\w+) (\w+)/gm)].map(([, name, type]) =>
      `${name} ${type} ${labelsOf(text, name ?? "")}`.trim(),
    );
    assert.deepEqual(described.sort(), registered.sort());
  });
});

/** The label names of a metric's first sample, `le` apart. */
function labelsOf(text: string, name: string): string {
  const labels = new RegExp(`^${name}(?:_bucket)?\\{(.*)\\} `, "m").exec(text)?.[1] ?? "";
  const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
  return names.filter((label) => label !== "le").join(", ");
}
