import type { FastifyRequest } from "fastify";
import type { AuditLine, EventBus } from "../events.ts";

export function audit(events: EventBus, line: AuditLine): void {
  events.emit("audited", line);
}

export function callerName({ caller }: Pick<FastifyRequest, "caller">): string {
  return caller?.name ?? "unknown";
}

/** What an unchecked body or path says under a key, cut to what a line can hold. */
export function textIn(data: unknown, key: string): string | null {
  if (typeof data !== "object" || data === null || !(key in data)) return null;
  const value: unknown = Object.getOwnPropertyDescriptor(data, key)?.value;
  return typeof value === "string" ? value.slice(0, 500) : null;
}
