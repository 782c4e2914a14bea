import type { Attributes, HrTime } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Attempt, RequestRecord } from "../events.ts";
import { attemptSpanId, type Trace } from "../trace.ts";

/** Where a span stands: shared by all of one edge. */
export type Origin = Pick<ReadableSpan, "resource" | "instrumentationScope">;

// The numbers of OpenTelemetry's SpanKind and SpanStatusCode, so that nothing of it is loaded where nothing is traced.
const INTERNAL = 0;
const SERVER = 1;
const CLIENT = 2;
const UNSET = 0;
const ERROR = 2;

interface Drawn {
  readonly name: string;
  readonly kind: number;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly startMs: number;
  readonly durationMs: number;
  readonly attributes: Attributes;
  readonly failed: boolean;
}

/** The spans of one request: its own, the look-up of its pin, and each attempt. Names are OpenTelemetry's for HTTP. */
export function spansOf(record: RequestRecord, trace: Trace, origin: Origin): readonly ReadableSpan[] {
  const { attempts, pinLookup, startedAtWallMs, method } = record;
  const drawn: Drawn[] = [
    {
      ...{ name: method, kind: SERVER, spanId: trace.spanId, parentId: trace.parentId },
      ...{ startMs: startedAtWallMs, durationMs: record.durationMs },
      attributes: requestAttributes(record),
      failed: record.status >= 500,
    },
    ...attempts.map((attempt, at) => attemptSpan(attempt, at, record, trace)),
  ];
  if (pinLookup !== null)
    drawn.push({
      ...{ name: "pin look-up", kind: INTERNAL, parentId: trace.spanId },
      spanId: attemptSpanId(trace.spanId, LOOKUP),
      ...{ startMs: startedAtWallMs + pinLookup.startedMs, durationMs: pinLookup.durationMs },
      ...{ attributes: { "meridian.pin": record.pin }, failed: record.pin === "unknown" },
    });
  return drawn.map((span) => readable(span, trace, origin));
}

/** No request has as many attempts. */
const LOOKUP = 200;

function attemptSpan(
  attempt: Attempt,
  at: number,
  { method, startedAtWallMs }: RequestRecord,
  trace: Trace,
): Drawn {
  const { region, endpoint, outcome, startedMs, durationMs } = attempt;
  const { hostname, port, protocol } = new URL(endpoint);
  const failed = typeof outcome === "string";
  return {
    ...{ name: method, kind: CLIENT, spanId: attemptSpanId(trace.spanId, at), parentId: trace.spanId },
    ...{ startMs: startedAtWallMs + startedMs, durationMs },
    attributes: {
      "http.request.method": method,
      "server.address": hostname,
      "server.port": Number(port || (protocol === "https:" ? 443 : 80)),
      "meridian.region": region,
      ...(at > 0 ? { "http.request.resend_count": at } : {}),
      ...(failed ? { "error.type": outcome } : { "http.response.status_code": outcome }),
    },
    failed: failed || outcome >= 400,
  };
}

function requestAttributes(record: RequestRecord): Attributes {
  const { id, method, path, status, protocol, region, reason, fault, pin, consistency, affinity } = record;
  return {
    "http.request.method": method,
    "http.response.status_code": status,
    "url.path": path,
    "network.protocol.version": VERSIONS[protocol],
    "meridian.request_id": id,
    "meridian.pin": pin,
    "meridian.affinity": affinity,
    ...(region === null ? {} : { "meridian.region": region }),
    ...(reason === null ? {} : { "meridian.reason": reason }),
    ...(consistency === null ? {} : { "meridian.consistency": consistency }),
    ...(fault === null ? {} : { "meridian.fault": fault, "error.type": fault }),
  };
}

const VERSIONS: Readonly<Record<RequestRecord["protocol"], string>> = {
  ...{ "http/1.0": "1.0", "http/1.1": "1.1", h2: "2", websocket: "1.1" },
};

function readable(
  span: Drawn,
  { traceId, sampled }: Trace,
  { resource, instrumentationScope }: Origin,
): ReadableSpan {
  const traceFlags = sampled ? 1 : 0;
  const { spanId, parentId, startMs, durationMs } = span;
  return {
    ...{ name: span.name, kind: span.kind, attributes: span.attributes, resource, instrumentationScope },
    spanContext: () => ({ traceId, spanId, traceFlags }),
    ...(parentId === null ? {} : { parentSpanContext: { traceId, spanId: parentId, traceFlags } }),
    ...{ startTime: hrTime(startMs), endTime: hrTime(startMs + durationMs), duration: hrTime(durationMs) },
    status: { code: span.failed ? ERROR : UNSET },
    ...{ links: [], events: [], ended: true },
    ...{ droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 },
  };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
