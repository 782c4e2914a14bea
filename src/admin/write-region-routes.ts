import type { Wanted } from "../fleet/move.ts";
import { type Moved, NotMoved } from "../fleet/move-run.ts";
import { objectionToMove } from "../fleet/readiness.ts";
import { SharedAway } from "../fleet/shared-hash.ts";
import type { AdminApp } from "./app.ts";
import { audit, callerName } from "./audit.ts";
import { writeRegionAnswer, writeRegionBody } from "./fleet-messages.ts";
import type { AdminParts } from "./parts.ts";
import { Refusal } from "./problems.ts";
import { admissionQuery } from "./region-messages.ts";

/** Moving the write region. */
export function addWriteRegionRoutes(app: AdminApp, parts: AdminParts): void {
  const schema = {
    summary: "Makes another region the write region, of a new epoch; writes are held meanwhile.",
    querystring: admissionQuery,
    body: writeRegionBody,
    response: { 200: writeRegionAnswer },
  };
  app.post("/v1/write-region", { schema, config: { change: "move-writes" } }, async (request) => {
    const { region, reason } = request.body;
    const { dryRun } = request.query;
    const force = request.query.force || request.body.force;
    const { writeRegion, epoch, byId } = parts.table.view;
    const before = { writeRegion, epoch };
    if (!byId.has(region)) throw new Refusal("unknown_region", `no region is called ${region}`);
    const { health } = parts.config.get();
    const setting = { view: parts.table.view, maxLagMs: health.maxLag, traffic: parts.traffic() };
    const objection = objectionToMove(region, force, setting);
    if (objection !== null) throw new Refusal("not_movable", objection);
    const who = callerName(request);
    const wanted = { to: region, forced: force, automatic: false, who, reason };
    const moved = dryRun ? null : await move(wanted, parts);
    const after = { writeRegion: region, epoch: moved?.epoch ?? epoch + 1 };
    audit(parts.events, {
      who,
      what: "move-writes",
      target: region,
      before,
      after,
      why: reason,
      result: dryRun ? "dry-run" : "done",
    });
    const { promotedPosition = byId.get(region)?.applied?.at ?? null, heldMs = null } = moved ?? {};
    return { dryRun, before, after, promotedPosition, heldMs };
  });
}

async function move(wanted: Wanted, parts: AdminParts): Promise<Moved> {
  try {
    return await parts.moveWriteRegion(wanted);
  } catch (error) {
    if (error instanceof NotMoved) throw new Refusal("not_moved", error.message);
    if (!(error instanceof SharedAway)) throw error;
    throw new Refusal(
      "unconfirmed",
      `the write region is shared through Redis, which did not confirm the move (${error.message}), and may make it yet. ` +
        "See the epoch in GET /v1/status, once redis is up there, before you try again or give the old database its writes back",
    );
  }
}
