import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { pino } from "pino";
import { Agent, type Dispatcher, request } from "undici";
import type { AdminParts, DescribedRequest, ReloadAnswer } from "../../src/admin/parts.ts";
import { type Admin, createAdmin } from "../../src/admin/server.ts";
import { systemClock } from "../../src/clock.ts";
import { CurrentConfig } from "../../src/config/current.ts";
import { rulesOf } from "../../src/config/rules.ts";
import { configSchema } from "../../src/config/schema.ts";
import { Identities } from "../../src/consistency/identities.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { type AuditLine, EventBus, type RequestRecord } from "../../src/events.ts";
import { AdmissionStore } from "../../src/fleet/admissions.ts";
import { DrillStore } from "../../src/fleet/drill-store.ts";
import { Drills } from "../../src/fleet/drills.ts";
import { edgesIn, quorumOn } from "../../src/fleet/edges.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";
import { Switchover } from "../../src/fleet/switchover.ts";
import { firstTopology, modeOf, TopologyStore } from "../../src/fleet/topology.ts";
import { SILENT } from "../../src/regions/answer.ts";
import { Drains } from "../../src/regions/drains.ts";
import { RegionTable } from "../../src/regions/table.ts";
import { drillSettingOf, reportOf } from "../../src/report.ts";
import type { Traffic } from "../../src/routing/capacity.ts";
import type { DecisionInputs } from "../../src/routing/decision.ts";

/** The admin API over the real table, admissions and pins, listening; only the proxy and the file are missing. */
export interface AdminEdge {
  readonly url: string;
  readonly admin: Admin;
  readonly table: RegionTable;
  readonly admissions: AdmissionStore;
  readonly pins: Pins;
  readonly identities: Identities;
  readonly events: EventBus;
  readonly audits: readonly AuditLine[];
  readonly requests: Map<string, RequestRecord>;
  /** What the fleet sends. */
  traffic: Traffic;
  /** What the next reload answers. */
  reloadAnswer: ReloadAnswer;
  readonly logged: readonly string[];
  reasons: readonly string[];
  call(method: string, path: string, options?: CallOptions): Promise<Called>;
  close(): Promise<void>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly raw?: string;
  readonly headers?: Record<string, string>;
}

export interface Called {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData["headers"];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any shape, which the test then looks into
  readonly json: any;
}

const REGIONS = {
  "us-east": { role: "writer", endpoints: ["http://127.0.0.1:9/"], jurisdiction: "us" },
  "eu-west": { role: "replica", endpoints: ["http://127.0.0.1:10/"], jurisdiction: "eu" },
  "ap-south": { role: "replica", endpoints: ["http://127.0.0.1:11/"] },
};
const LATENCIES_MS: Record<string, number> = { "us-east": 80, "eu-west": 12, "ap-south": 150 };
/** Who is at every region. */
export const THERE = { sessions: 7, pins: 1, tunnels: 2, streams: 3 };
const SECRET = "a secret of the admin tests";

export async function adminEdge(given: object = {}, admissions = new AdmissionStore(new MemoryHash())) {
  const settings = { admin: { port: 0 }, regions: REGIONS, secrets: [SECRET], ...given };
  const config = new CurrentConfig(configSchema.parse(settings));
  const events = new EventBus();
  const table = new RegionTable(config.get(), { clock: systemClock, events });
  admissions.onChange((known) => table.setAdmissions(known));
  const hash = new MemoryHash("edge-1");
  const topology = new TopologyStore(hash, firstTopology(table.view.writeRegion));
  topology.onChange((next) => table.setTopology({ ...next, mode: modeOf(next) }));
  const switchover = new Switchover({
    ...{ events, hash, topology, view: () => table.view, ask: async () => true, hook: () => null },
    settings: () => ({ maxLagMs: 5_000, holdWritesMs: 0, holdDownMs: 0 }),
    traffic: () => ({ rates: [], capacities: new Map() }),
  });
  const drills = new Drills({
    ...{ events, hash, store: new DrillStore(hash), writes: () => topology.get() },
    rehearse: (drill) => table.setDrill(drill),
    setting: () => drillSettingOf(table.view, config.get(), { edges: [], isHeldDown: false }),
  });
  const holds = () => topology.get().move?.id ?? null;
  hash.say(() =>
    JSON.stringify(
      reportOf(table, {
        ...{ location: config.get().edge.location ?? null, holds: holds(), writesUnderWay: 0 },
        worker: null,
        ...{ rates: [], drill: drills.said },
      }),
    ),
  );
  const pins = new Pins(config.get(), { clock: systemClock, events, store: null });
  const identities = new Identities(config.get().consistency.identity, [SECRET]);
  const audits: AuditLine[] = [];
  events.on("audited", (line) => audits.push(line));
  const logged: string[] = [];
  const agent = new Agent();

  const drains = new Drains({
    clock: systemClock,
    view: () => table.view,
    said: (region) => admissions.get().get(region),
    there: () => THERE,
  });
  const parts: AdminParts = {
    clock: systemClock,
    events,
    config,
    table,
    admissions,
    moveWriteRegion: (wanted) => switchover.move(wanted),
    move: () => topology.get().move,
    edges: () => {
      const edges = edgesIn(hash);
      return { edges, quorum: quorumOn(table.view.writeRegion, edges) };
    },
    drills,
    schedule: () => ({ maintenance: [], drills: [] }),
    pins,
    decisions: {
      get: (id) => edge.requests.get(id) ?? null,
      recent: (count) => [...edge.requests.values()].toReversed().slice(0, count),
    },
    metrics: { contentType: "text/plain; version=0.0.4", render: async () => "meridian_build_info 1\n" },
    inputs: async (described) => inputsOf(described, config, table),
    reload: async () => edge.reloadAnswer,
    warnings: () => [],
    readiness: () => ({ ready: edge.reasons.length === 0, reasons: edge.reasons, overload: [] }),
    status: () => ({
      ...{ edge: "edge-1", version: "0.1.0", uptimeSeconds: 61, mode: "rw", redis: "off", workers: 1 },
    }),
    there: () => THERE,
    traffic: () => edge.traffic,
    drains,
    identityPids: (kind, value) => identities.lookUp(kind, value)?.read ?? null,
  };
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  const admin = createAdmin(parts, log);
  const url = await admin.listen();
  const edge: AdminEdge = {
    url,
    admin,
    table,
    admissions,
    pins,
    identities,
    events,
    audits,
    requests: new Map(),
    traffic: { rates: [], capacities: new Map() },
    reloadAnswer: { result: "unchanged", changes: [], needsRestart: [], warnings: [] },
    logged,
    reasons: [],
    call: (method, path, options = {}) => callAt(url, agent, method, path, options),
    close: async () => {
      await agent.close();
      await admin.close();
      drains.close();
      await drills.close();
      await pins.close();
      await table.close();
    },
  };
  for (const region of Object.keys(config.get().regions)) setHealth(edge, region, true);
  return edge;
}

/** Lets a region pass or fail as many probes as its health needs to change. */
export function setHealth({ table }: AdminEdge, region: string, up: boolean): void {
  const roundTripMs = LATENCIES_MS[region] ?? 10;
  for (const endpoint of table.endpoints.filter((each) => each.region === region)) {
    for (let probe = 0; probe < 3; probe++) {
      if (up) table.probed(endpoint, { result: "pass", cause: null, roundTripMs, reported: SILENT });
      else
        table.probed(endpoint, { result: "connect", cause: "refused", roundTripMs: null, reported: SILENT });
    }
  }
}

/** A request record as the proxy leaves one behind. */
export function recordOf(inputs: DecisionInputs | null, given: Partial<RequestRecord> = {}): RequestRecord {
  return {
    id: randomUUID(),
    startedAtWallMs: Date.now(),
    method: "GET",
    path: "/orders",
    protocol: "http/1.1",
    status: 200,
    region: "eu-west",
    reason: "latency",
    fault: null,
    attempts: [
      { region: "eu-west", endpoint: "http://127.0.0.1:10", outcome: 200, startedMs: 0, durationMs: 12 },
    ],
    durationMs: 13,
    upstreamMs: 12,
    overheadMs: 1,
    bytesIn: 0,
    bytesOut: 2,
    pin: "free",
    pinLookup: null,
    consistency: null,
    affinity: "none",
    complete: true,
    trace: null,
    decision: null,
    inputs,
    ...given,
  };
}

export function inputsOf(
  { method, headers }: DescribedRequest,
  config: CurrentConfig,
  table: RegionTable,
): DecisionInputs {
  const intent = method === "GET" ? "read" : "write";
  const identified = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  const facts = {
    intent,
    jurisdictions: null,
    affinity: null,
    movedMs: null,
    identified,
    chance: 0.5,
  } as const;
  return {
    facts,
    pin: "free",
    hold: null,
    view: table.view,
    rules: rulesOf(config.get()),
    tried: [],
    attempts: 0,
  };
}

async function callAt(
  url: string,
  dispatcher: Agent,
  method: string,
  path: string,
  { body, raw, headers = {} }: CallOptions,
): Promise<Called> {
  const sent = raw ?? (body === undefined ? null : JSON.stringify(body));
  const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const response = await request(new URL(path, url), {
    method: method as Dispatcher.HttpMethod,
    headers: { ...type, ...headers },
    body: sent,
    dispatcher,
  });
  const text = await response.body.text();
  const isJson = text !== "" && String(response.headers["content-type"]).includes("json");
  return {
    status: response.statusCode,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : null,
  };
}

/** One server-sent event. */
export interface SeenEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads an event stream into a list, until it ends or is destroyed. */
export async function listen(url: string, headers: Record<string, string> = {}) {
  const response = await request(new URL("/v1/events", url), { headers });
  const seen: SeenEvent[] = [];
  let left = "";
  response.body.setEncoding("utf8");
  response.body.on("data", (chunk: string) => {
    const messages = (left + chunk).split("\n\n");
    left = messages.pop() ?? "";
    seen.push(...messages.filter((message) => message.startsWith("id:")).map(parseEvent));
  });
  const ended = once(response.body, "end");
  ended.catch(() => {});
  return { response, seen, ended, stop: () => response.body.destroy() };
}

function parseEvent(message: string): SeenEvent {
  const fields = Object.fromEntries(message.split("\n").map((line) => line.split(/: (.*)/s)));
  return { id: fields.id ?? "", event: fields.event ?? "", data: JSON.parse(fields.data ?? "null") };
}
