import type { ClockOffset, Operation } from "./history.ts";

/**
 * By how much the wall clock of the edge that this is read through may be ahead of the one that issued the browser's
 * token, which is that of its last answered write. What is behind takes a token for newer than it is, which does no harm.
 */
export function aheadOfToken(
  read: Operation,
  ofUser: readonly Operation[],
  clocks: readonly ClockOffset[],
): number {
  const answered = ofUser.filter(
    ({ kind, device, headMs }) =>
      kind === "write" && device === read.device && headMs !== null && headMs <= read.sentMs,
  );
  const issuer = answered.toSorted((one, other) => (other.headMs ?? 0) - (one.headMs ?? 0))[0];
  if (issuer === undefined) return 0;
  return Math.max(...offsetsOf(read, clocks)) - Math.min(...offsetsOf(issuer, clocks));
}

/** All that the clock of a request's edge may have been off by while it was there. */
function offsetsOf({ edge, sentMs, headMs }: Operation, clocks: readonly ClockOffset[]): readonly number[] {
  const untilMs = headMs ?? sentMs;
  const during = clocks.filter((one) => one.edge === edge && one.fromMs <= untilMs && one.toMs >= sentMs);
  return during.length === 0 ? [0] : during.map(({ offsetMs }) => offsetMs);
}
