import type { Move } from "../fleet/move.ts";
import type { AdminApp, Route } from "./app.ts";
import { edgesAnswer } from "./fleet-messages.ts";
import { text } from "./message-parts.ts";
import { livenessAnswer, openapiAnswer, readinessAnswer, statusAnswer, verboseQuery } from "./messages.ts";
import { openapiOf } from "./openapi.ts";
import type { AdminParts } from "./parts.ts";
import { Refusal } from "./problems.ts";

/** What orchestrators and Prometheus ask; nobody needs a token for it. */
export function addProbeRoutes(app: AdminApp, parts: AdminParts): void {
  const config = { access: "anyone" } as const;

  const livez = { summary: "Is the process alive?", response: { 200: livenessAnswer } };
  app.get("/livez", { config, schema: livez }, () => ({ live: true }));

  const readyz = {
    summary: "Should traffic come here?",
    querystring: verboseQuery,
    response: { 200: readinessAnswer },
  };
  app.get("/readyz", { config, schema: readyz }, ({ query }) => {
    const { ready, reasons, overload } = parts.readiness();
    if (!ready) throw new Refusal("not_ready", reasons.join("; "), query.verbose ? { reasons } : {});
    return query.verbose ? { ready, overload, regions: parts.table.view.regions.map(briefly) } : { ready };
  });

  const metrics = { summary: "Prometheus metrics.", produces: "text/plain", response: { 200: text } };
  app.get("/metrics", { config, schema: metrics }, async (_request, reply) => {
    const rendered = await parts.metrics.render();
    return reply.header("content-type", parts.metrics.contentType).send(rendered);
  });
}

export function addStatusRoutes(app: AdminApp, parts: AdminParts, routes: readonly Route[]): void {
  const config = { access: "viewer" } as const;

  const status = { summary: "What this edge is and runs on.", response: { 200: statusAnswer } };
  app.get("/v1/status", { config, schema: status }, ({ caller }) => {
    const { epoch, writeRegion } = parts.table.view;
    const consistency = parts.config.get().consistency.mode;
    const edges = parts.edges().quorum.live;
    const configVersion = parts.config.version;
    return {
      ...parts.status(),
      configVersion,
      epoch,
      writeRegion,
      move: shownMove(parts.move()),
      consistency,
      edges,
      caller,
    };
  });

  const edges = { summary: "The edges of the fleet, and what each sees.", response: { 200: edgesAnswer } };
  app.get("/v1/edges", { config, schema: edges }, () => shownEdges(parts.edges()));

  const openapi = { summary: "This description.", response: { 200: openapiAnswer } };
  app.get("/openapi.json", { config, schema: openapi }, () => openapiOf(routes, parts.status().version));
}

function shownMove(move: Move | null) {
  if (move === null) return null;
  const { id, from, to, step, epoch, by, sinceMs, automatic, forced, who, reason } = move;
  const since = new Date(sinceMs).toISOString();
  return {
    id,
    from,
    to,
    step,
    epoch,
    by: by.slice(0, by.lastIndexOf(":")),
    since,
    automatic,
    forced,
    who,
    reason,
  };
}

function shownEdges({ edges, quorum }: ReturnType<AdminParts["edges"]>) {
  const { known, live, needed, down: writerDown, up: writerUp } = quorum;
  return {
    edges: edges.map(({ id, worker, isSelf, live: isLive, seenMsAgo, version, location, ...said }) => ({
      ...{ id, worker, self: isSelf, live: isLive, seenMsAgo: Math.round(seenMsAgo), version, location },
      ...{ holdsWrites: said.holds !== null, writesUnderWay: said.writesUnderWay, regions: said.regions },
    })),
    quorum: { known, live, needed, writerDown, writerUp },
  };
}

function briefly({ id, health, admission }: AdminParts["table"]["view"]["regions"][number]) {
  return { id, health, admission };
}
