import { statusMatcher } from "../regions/answer.ts";
import type { Position } from "../routing/position.ts";
import type { Exchange } from "./exchange.ts";

/** Compiles `consistency.noWriteStatus`; left out, no status says that nothing was written. */
export function noWriteMatcher(statuses: string | undefined): (status: number) => boolean {
  return statuses === undefined ? () => false : statusMatcher(statuses);
}

/**
 * Whether an answered request wrote: by the region's own word, else by what it asked for, unless its status is one
 * by which the application says that it did nothing.
 */
export function wroteBy(
  { wrote, writes, settings }: Pick<Exchange, "wrote" | "writes" | "settings">,
  status: number,
): boolean {
  return wrote ?? (writes && !settings.noWrite(status));
}

/** Where this write stands in the write log; several writers have several logs, which nobody compares. */
export function positionOf({ position, settings }: Pick<Exchange, "position" | "settings">): Position | null {
  return settings.rules.topology === "multi-writer" ? null : position;
}
