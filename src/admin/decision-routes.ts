import type { RequestRecord } from "../events.ts";
import type { AdminApp } from "./app.ts";
import {
  decisionAnswer,
  explainBody,
  explanationAnswer,
  recentAnswer,
  recentQuery,
  requestParams,
} from "./decision-messages.ts";
import { explain } from "./explanation.ts";
import type { AdminParts } from "./parts.ts";
import { Refusal } from "./problems.ts";

/** The decisions that were made and those that would be. */
export function addDecisionRoutes(app: AdminApp, parts: AdminParts): void {
  const config = { access: "viewer" } as const;

  const would = {
    summary: "The decision this edge would take, and why each region was kept or dropped.",
    body: explainBody,
    response: { 200: explanationAnswer },
  };
  app.post("/v1/explain", { config, schema: would }, async ({ body }) => explain(await parts.inputs(body)));

  const recent = {
    summary: "The latest decisions of this edge, briefly.",
    querystring: recentQuery,
    response: { 200: recentAnswer },
  };
  app.get("/v1/decisions", { config, schema: recent }, async ({ query }) => ({
    decisions: (await parts.decisions.recent(query.limit)).map(briefly),
  }));

  const did = {
    summary: "The decision it did take, of the last requests.",
    params: requestParams,
    response: { 200: decisionAnswer },
  };
  app.get("/v1/decisions/:requestId", { config, schema: did }, async ({ params: { requestId } }) => {
    const record = await parts.decisions.get(requestId);
    if (record) return explained(record);
    throw new Refusal("unknown_request", `${requestId} is not among the last requests of this edge`);
  });
}

function briefly({ id, startedAtWallMs, attempts, ...record }: RequestRecord) {
  const { method, path, status, region, reason, fault, consistency, durationMs } = record;
  return {
    ...{ id, at: new Date(startedAtWallMs).toISOString(), method, path, status, region, reason, fault },
    ...{ consistency, attempts: attempts.length, durationMs: Math.round(durationMs * 10) / 10 },
  };
}

function explained({ inputs, decision: _, ...request }: RequestRecord) {
  return { request, explanation: inputs === null ? null : explain(inputs) };
}
