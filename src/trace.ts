import { randomFillSync } from "node:crypto";

/** A request in a distributed trace (W3C Trace Context); all ids in hex. */
export interface Trace {
  readonly traceId: string;
  /** Of the span of this request here. */
  readonly spanId: string;
  /** The span of whoever sent it here; null where the trace begins. */
  readonly parentId: string | null;
  readonly sampled: boolean;
}

/** W3C Trace Context, version 00; what a later version adds behind it is not read. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
const SAMPLED = 1;
const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;
/** Of a trace id the last seven bytes are random by the standard; as many of them as a number holds exactly. */
const RANDOM_DIGITS = 13;

/**
 * The trace of a request: the one that a trusted proxy has begun, else a new one.
 *
 * @param said the proxy's `traceparent`
 */
export function traceOf(said: string | undefined, samplePercent: number): Trace {
  const [, traceId, parentId, flags] = (said === undefined ? null : TRACEPARENT.exec(said)) ?? [];
  if (traceId === undefined || parentId === undefined || flags === undefined) return newTrace(samplePercent);
  const sampled = (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED;
  return { traceId, parentId, spanId: randomHex(SPAN_DIGITS), sampled };
}

/** What a region is told: the span of this attempt is its parent. */
export function traceparentOf({ traceId, spanId, sampled }: Trace, attempt: number): string {
  return `00-${traceId}-${attemptSpanId(spanId, attempt)}-${sampled ? "01" : "00"}`;
}

/**
 * The span of the n-th attempt, from 0: a region is told it before the span is made, and nobody has to keep it. At most 255
 * belong to one request.
 */
export function attemptSpanId(spanId: string, attempt: number): string {
  const last = (Number.parseInt(spanId.slice(-2), 16) + 1 + attempt) % 256;
  return spanId.slice(0, -2) + last.toString(16).padStart(2, "0");
}

function newTrace(samplePercent: number): Trace {
  const traceId = randomHex(TRACE_DIGITS);
  const lot = Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) / 16 ** RANDOM_DIGITS;
  return { traceId, parentId: null, spanId: randomHex(SPAN_DIGITS), sampled: lot * 100 < samplePercent };
}

/** Where nothing is traced here: not sampled, but the regions share one trace id. */
export function newTraceparent(): string {
  return `00-${randomHex(TRACE_DIGITS)}-${randomHex(SPAN_DIGITS)}-00`;
}

const ahead = Buffer.alloc(4_096);
let digits = "";
let taken = 0;

/** Nobody can predict them; they are drawn 4 KiB at a time, since each draw costs 2 µs, of which a request would pay all. */
function randomHex(length: number): string {
  if (taken + length > digits.length) {
    digits = randomFillSync(ahead).toString("hex");
    taken = 0;
  }
  taken += length;
  return digits.slice(taken - length, taken);
}
