import { type Drill, edgeNameOf } from "../fleet/drill.ts";
import { type DrillOutlook, type DrillRefusal, type DrillWish, NotBegun } from "../fleet/drill-wish.ts";
import { SharedAway } from "../fleet/shared-hash.ts";
import type { AdminApp } from "./app.ts";
import { audit, callerName } from "./audit.ts";
import { drillAnswer, drillBody, drillsAnswer, stopDrillAnswer, stopDrillBody } from "./drill-messages.ts";
import { dryRunQuery } from "./message-parts.ts";
import type { AdminParts } from "./parts.ts";
import { Refusal } from "./problems.ts";
import { admissionQuery } from "./region-messages.ts";
import { roundedLoad } from "./region-routes.ts";

/** Rehearsing the loss of a region. */
export function addDrillRoutes(app: AdminApp, parts: AdminParts): void {
  const list = {
    summary: "The drill that runs, and the reports of past ones.",
    response: { 200: drillsAnswer },
  };
  app.get("/v1/drills", { config: { access: "viewer" }, schema: list }, async () => {
    const { present } = parts.drills;
    return {
      running: present && shown(present, parts),
      history: await parts.drills.history(),
    };
  });
  addBegin(app, parts);
  addStop(app, parts);
}

function addBegin(app: AdminApp, parts: AdminParts): void {
  const schema = {
    summary: "Rehearses the loss of a region, at every edge.",
    querystring: admissionQuery,
    body: drillBody,
    response: { 200: drillAnswer },
  };
  app.post("/v1/drills", { schema, config: { change: "begin-drill" } }, async (request) => {
    const { region, kind, lasts: lastsMs, abortAbove, reason = "a drill" } = request.body;
    const { dryRun } = request.query;
    const forced = request.query.force || request.body.force;
    const who = callerName(request);
    if (!parts.table.view.byId.has(region))
      throw new Refusal("unknown_region", `no region is called ${region}`);
    const outlook = parts.drills.outlook({ region, kind, lastsMs });
    const refusal = refusalOf(outlook, forced);
    if (refusal !== null) throw refusal;
    const drill = dryRun
      ? null
      : await begin({ region, kind, lastsMs, abortAbove, reason, who, forced }, parts);
    const until = new Date(drill?.untilMs ?? parts.clock.wall() + lastsMs).toISOString();
    audit(parts.events, {
      ...{ who, what: "begin-drill", target: region, before: null },
      ...{
        after: { drill: drill?.id ?? null, kind, until },
        why: reason,
        result: dryRun ? "dry-run" : "done",
      },
    });
    const { objections, warnings, moves } = outlook;
    const load = outlook.load.map(roundedLoad);
    return { dryRun, drill: drill && shown(drill, parts), objections, warnings, moves, load };
  });
}

function addStop(app: AdminApp, parts: AdminParts): void {
  const schema = {
    summary: "Ends the drill that runs.",
    querystring: dryRunQuery,
    body: stopDrillBody,
    response: { 200: stopDrillAnswer },
  };
  app.post("/v1/drills/stop", { schema, config: { change: "stop-drill" } }, async (request) => {
    const { reason = "stopped" } = request.body;
    const { dryRun } = request.query;
    const who = callerName(request);
    const drill = dryRun ? parts.drills.present : await stop({ who, reason }, parts);
    if (drill === null || drill.end !== null) throw new Refusal("no_drill", "there is no drill to stop");
    audit(parts.events, {
      ...{ who, what: "stop-drill", target: drill.region, before: { drill: drill.id }, after: null },
      ...{ why: reason, result: dryRun ? "dry-run" : "done" },
    });
    return { dryRun, drill: shown(drill, parts) };
  });
}

/** All that speaks against it, in one sentence after another. */
function refusalOf({ obstacle, objections, moves, load }: DrillOutlook, forced: boolean): Refusal | null {
  if (obstacle !== null) return new Refusal(obstacle.word, sentence(obstacle));
  const [first] = objections;
  if (first === undefined || forced) return null;
  const detail = `${objections.map(sentence).join(". ")}, or repeat with force`;
  return new Refusal(first.word, detail, { objections, moves, load: load.map(roundedLoad) });
}

function sentence({ why, instead }: DrillRefusal): string {
  return `${why}. ${instead}`;
}

async function begin(wish: DrillWish, { drills }: AdminParts): Promise<Drill> {
  try {
    return await drills.begin(wish);
  } catch (error) {
    if (error instanceof NotBegun) throw new Refusal(error.refusal.word, error.message);
    throw awayOr(error);
  }
}

async function stop(by: { readonly who: string; readonly reason: string }, { drills }: AdminParts) {
  try {
    return await drills.stop(by);
  } catch (error) {
    throw awayOr(error);
  }
}

function awayOr(error: unknown): unknown {
  if (!(error instanceof SharedAway)) return error;
  const detail = `drills are shared through Redis, which did not confirm it (${error.message}). See GET /v1/drills once redis is up in GET /v1/status; a drill that nobody can supervise ends by itself within seconds`;
  return new Refusal("unconfirmed", detail);
}

function shown(drill: Drill, { drills }: AdminParts) {
  const { id, region, kind, who, reason, forced, abortAbove, window, by, sinceMs, untilMs, end } = drill;
  return {
    ...{ id, region, kind, who, reason, scheduled: window !== null, forced, abortAbove, by: edgeNameOf(by) },
    startedAt: new Date(sinceMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    ended: end !== null,
    soFar: drills.soFar(drill),
  };
}
