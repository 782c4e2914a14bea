import { rulesOf } from "../config/rules.ts";
import type { AdmissionRecord } from "../fleet/admissions.ts";
import type { RegionStatus } from "../regions/table.ts";
import { type Load, loadsWithout } from "../routing/capacity.ts";
import { type Move, movesOf, type Objection, objection, type Setting } from "../routing/moves.ts";
import type { Admission } from "../routing/region.ts";
import type { AdminApp } from "./app.ts";
import { audit, callerName } from "./audit.ts";
import type { AdminParts } from "./parts.ts";
import { Refusal } from "./problems.ts";
import {
  admissionAnswer,
  admissionQuery,
  closeBody,
  drainBody,
  regionAnswer,
  regionParams,
  regionsAnswer,
  undrainBody,
} from "./region-messages.ts";

/** A change of admission as it was asked for, checked and complete. */
interface AdmissionChange {
  readonly region: string;
  readonly record: AdmissionRecord;
  /** The audit log's word for it. */
  readonly what: string;
  readonly dryRun: boolean;
  readonly force: boolean;
}

/** What a change would come to. */
interface Predicted {
  readonly moves: readonly Move[];
  readonly load: readonly Load[];
}

export function addRegionRoutes(app: AdminApp, parts: AdminParts): void {
  const config = { access: "viewer" } as const;

  const list = { summary: "Every region as this edge sees it.", response: { 200: regionsAnswer } };
  app.get("/v1/regions", { config, schema: list }, () => ({
    regions: parts.table.status().map((status) => regionOf(status, parts)),
  }));

  const one = { summary: "One region.", params: regionParams, response: { 200: regionAnswer } };
  app.get("/v1/regions/:id", { config, schema: one }, ({ params }) =>
    regionOf(find(params.id, parts), parts),
  );
}

export function addAdmissionRoutes(app: AdminApp, parts: AdminParts): void {
  const common = { params: regionParams, querystring: admissionQuery, response: { 200: admissionAnswer } };

  const drain = {
    ...common,
    summary: "No new sessions; those there stay until the deadline.",
    body: drainBody,
  };
  const draining = { schema: drain, config: { change: "drain" } };
  app.post("/v1/regions/:id/drain", draining, (request) => {
    const { params, query, body } = request;
    const record = recordOf("draining", body.reason, callerName(request), body.deadline, parts);
    const force = query.force || body.force;
    return change({ region: params.id, record, what: "drain", dryRun: query.dryRun, force }, parts);
  });

  const close = { ...common, summary: "Nothing goes there; sessions move now.", body: closeBody };
  app.post("/v1/regions/:id/close", { schema: close, config: { change: "close" } }, (request) => {
    const { params, query, body } = request;
    const record = recordOf("closed", body.reason, callerName(request), null, parts);
    const force = query.force || body.force;
    return change({ region: params.id, record, what: "close", dryRun: query.dryRun, force }, parts);
  });

  const undrain = { ...common, summary: "Open again.", body: undrainBody };
  app.post("/v1/regions/:id/undrain", { schema: undrain, config: { change: "undrain" } }, (request) => {
    const { params, query, body } = request;
    const said = recordOf("open", body.reason ?? "open again", callerName(request), null, parts);
    // Whose window it ends, so that the calendar does not begin it again, whatever its clock says.
    const record = { ...said, window: parts.admissions.get().get(params.id)?.window };
    return change({ region: params.id, record, what: "undrain", dryRun: query.dryRun, force: true }, parts);
  });
}

/** Judges the change in the world as it is, makes it unless it is a dry run, and says what moves. */
async function change(wanted: AdmissionChange, parts: AdminParts): Promise<unknown> {
  const { region, record, dryRun } = wanted;
  const before = find(region, parts);
  const setting = settingOf(parts);
  const moves = movesOf(region, record.state, setting);
  const load = record.state === "open" ? [] : loadsWithout(region, moves, setting.traffic).map(roundedLoad);
  const refusal = wanted.force ? null : objection(region, record.state, moves, setting);
  if (refusal) throw refusalOf(refusal, { moves, load });

  const saidBefore = shown(parts.admissions.get().get(region)) ?? { state: before.admission };
  const after = shown(record);
  if (!dryRun) await store(region, record, parts);
  audit(parts.events, {
    who: record.by,
    what: wanted.what,
    target: region,
    before: saidBefore,
    after,
    why: record.reason,
    result: dryRun ? "dry-run" : "done",
  });
  const affected = { ...thereAt(before, parts), estimatedEnd: forecastOf(region, record, parts) };
  return { region, dryRun, before: before.admission, admission: after, affected, moves, load };
}

function refusalOf({ word, why, instead }: Objection, predicted: Predicted): Refusal {
  const forced = { write_region: "do without writes", last_region: "do without", capacity: "do it anyway" };
  const detail = `${why}. ${instead}, or repeat with force to ${forced[word]}`;
  return new Refusal(word, detail, word === "write_region" ? {} : { ...predicted });
}

export function roundedLoad({ region, before, after, capacity }: Load): Load {
  return { region, before: Math.round(before * 10) / 10, after: Math.round(after * 10) / 10, capacity };
}

async function store(region: string, record: AdmissionRecord, parts: AdminParts): Promise<void> {
  try {
    await parts.admissions.set(region, record);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Refusal(
      "store_unreachable",
      `the admission of ${region} is shared through Redis, which did not take it (${cause}). Every edge keeps ` +
        "what it last knew. Try again once redis in GET /v1/status is up",
    );
  }
}

function find(id: string, parts: AdminParts): RegionStatus {
  const known = parts.table.status();
  const found = known.find((status) => status.id === id);
  if (found) return found;
  const names = known.map((status) => status.id).join(", ");
  throw new Refusal("unknown_region", `no region is called ${id}; there are ${names}`);
}

function regionOf(status: RegionStatus, parts: AdminParts) {
  const { id } = status;
  const operator = shown(parts.admissions.get().get(id));
  const requestsPerSecond = requestsPerSecondAt(id, parts);
  const location = parts.config.get().regions[id]?.location ?? null;
  const drain = drainOf(status, parts);
  return { ...status, location, operator, ...thereAt(status, parts), requestsPerSecond, drain };
}

function requestsPerSecondAt(id: string, { traffic }: AdminParts): number {
  const rates = traffic().rates.filter(({ region }) => region === id);
  return Math.round(rates.reduce((sum, { perSecond }) => sum + perSecond, 0) * 10) / 10;
}

/** Who is at a region. */
function thereAt({ id, requestsInFlight }: RegionStatus, parts: AdminParts) {
  return { ...parts.there(id), requestsInFlight };
}

function drainOf(status: RegionStatus, parts: AdminParts) {
  const drain = parts.drains.status(status.id);
  if (drain === null) return null;
  const [since, deadline] = [instant(drain.sinceWallMs), instant(drain.deadlineWallMs)];
  return { since, deadline, estimatedEnd: instant(drain.estimatedEndWallMs), ...thereAt(status, parts) };
}

/** Of a drain that has just begun, or would. */
function forecastOf(region: string, { state, deadlineWallMs }: AdmissionRecord, { drains }: AdminParts) {
  return state === "draining" ? instant(drains.forecast(region, deadlineWallMs)) : null;
}

function instant(wallMs: number | null): string | null {
  return wallMs === null ? null : new Date(wallMs).toISOString();
}

function recordOf(
  state: Admission,
  reason: string,
  by: string,
  lastsMs: number | null,
  { clock }: AdminParts,
): AdmissionRecord {
  const sinceWallMs = clock.wall();
  return { state, reason, by, sinceWallMs, deadlineWallMs: lastsMs === null ? null : sinceWallMs + lastsMs };
}

function shown(record: AdmissionRecord | undefined) {
  if (!record) return null;
  const { state, reason, by, sinceWallMs, deadlineWallMs } = record;
  return { state, reason, by, since: instant(sinceWallMs), deadline: instant(deadlineWallMs) };
}

function settingOf({ table, config, traffic }: AdminParts) {
  return { view: table.view, rules: rulesOf(config.get()), traffic: traffic() } satisfies Setting;
}
