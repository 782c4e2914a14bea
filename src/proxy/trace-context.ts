import { randomFillSync } from "node:crypto";

const BYTES_AHEAD = 4_096;
const DIGITS = { trace: 32, span: 16 } as const;

const ahead = Buffer.alloc(BYTES_AHEAD);
let digits = "";
let taken = 0;

/** W3C Trace Context, not sampled: we record no span of our own, but the regions share one trace id. */
export function newTraceparent(): string {
  return `00-${randomHex(DIGITS.trace)}-${randomHex(DIGITS.span)}-00`;
}

/** Nobody can predict them; they are drawn 4 KiB at a time, since each draw costs 2 µs, of which a request would pay all. */
function randomHex(length: number): string {
  if (taken + length > digits.length) {
    digits = randomFillSync(ahead).toString("hex");
    taken = 0;
  }
  taken += length;
  return digits.slice(taken - length, taken);
}
