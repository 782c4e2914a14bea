import { FAULTS } from "../errors.ts";
import type { Attempt, RequestRecord } from "../events.ts";
import { type Logger, lineWriter } from "./log.ts";

/** Which requests get a line: `errors` are those that hurt somebody and those answered with a 5xx. */
export type Access = "all" | "errors" | "off";

/** Writes the lines of requests. */
export class AccessLog {
  /** Which requests get a line from now on. */
  access: Access;
  readonly #write: ReturnType<typeof lineWriter>;

  constructor(logger: Logger, access: Access) {
    this.access = access;
    this.#write = lineWriter(logger);
  }

  log(record: RequestRecord): void {
    if (this.access === "off") return;
    const hurt = record.fault !== null && FAULTS[record.fault].owner !== "client";
    if (this.access === "errors" && !hurt && record.status < 500) return;
    this.#write(hurt ? "warn" : "info", accessFields(record));
  }
}

/** The line of one request. Identities, cookies and the query string are not in the record to begin with. */
function accessFields(record: RequestRecord) {
  const { id, method, path, protocol, status, region, reason, fault } = record;
  const { durationMs, upstreamMs, overheadMs, bytesIn, bytesOut, pin, consistency, affinity, complete } =
    record;
  return {
    requestId: id,
    traceId: record.trace?.sampled ? record.trace.traceId : undefined,
    method,
    path,
    protocol,
    status,
    region,
    reason,
    fault,
    attempts: record.attempts.map(attemptFields),
    durationMs: rounded(durationMs),
    upstreamMs: rounded(upstreamMs),
    overheadMs: rounded(overheadMs),
    bytesIn,
    bytesOut,
    pin,
    consistency,
    affinity,
    complete,
    msg: "request",
  };
}

function attemptFields({ region, endpoint, outcome, durationMs }: Attempt) {
  return { region, endpoint, outcome, ms: rounded(durationMs) };
}

/** To a microsecond: more digits are noise in every line. */
function rounded(milliseconds: number | null): number | null {
  return milliseconds === null ? null : Math.round(milliseconds * 1_000) / 1_000;
}
