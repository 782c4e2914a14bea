import type { AdminApp, Route } from "./app.ts";
import {
  livenessAnswer,
  openapiAnswer,
  readinessAnswer,
  statusAnswer,
  text,
  verboseQuery,
} from "./messages.ts";
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
  app.get("/v1/status", { config, schema: status }, () => {
    const { epoch, writeRegion } = parts.table.view;
    const consistency = parts.config.get().consistency.mode;
    return { ...parts.status(), configVersion: parts.config.version, epoch, writeRegion, consistency };
  });

  const openapi = { summary: "This description.", response: { 200: openapiAnswer } };
  app.get("/openapi.json", { config, schema: openapi }, () => openapiOf(routes, parts.status().version));
}

function briefly({ id, health, admission }: AdminParts["table"]["view"]["regions"][number]) {
  return { id, health, admission };
}
