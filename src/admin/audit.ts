import type { FastifyRequest } from "fastify";
import type { AuditLine, EventBus } from "../events.ts";

export function audit(events: EventBus, line: AuditLine): void {
  events.emit("audited", line);
}

/** The line for a change that was refused before or while it was made; nothing came of it. */
export function auditRefusal(events: EventBus, request: FastifyRequest): void {
  const what = request.routeOptions.config.change;
  if (what === undefined || request.caller === null) return;
  const target = textIn(request.params, "id");
  const why = textIn(request.body, "reason");
  audit(events, {
    who: callerName(request),
    what,
    target,
    before: null,
    after: null,
    why,
    result: "refused",
  });
}

export function callerName({ caller }: Pick<FastifyRequest, "caller">): string {
  return caller?.name ?? "unknown";
}

function textIn(data: unknown, key: string): string | null {
  if (typeof data !== "object" || data === null || !(key in data)) return null;
  const value: unknown = Object.getOwnPropertyDescriptor(data, key)?.value;
  return typeof value === "string" ? value.slice(0, 500) : null;
}
