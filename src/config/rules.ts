import type { PathRule } from "../routing/intent.ts";
import type { ResidencyRule } from "../routing/residency.ts";
import type { MonotonicReads, Rules } from "../routing/rules.ts";
import type { Config } from "./schema.ts";

/** The part of the configuration that a decision follows, in the shape that routing wants. */
export function rulesOf({ routing, affinity, consistency, health }: Config): Rules {
  return {
    policy: routing.policy,
    topology: routing.topology,
    whenAllDown: routing.whenAllDown,
    whenWriterDown: consistency.whenWriterDown,
    maxLagMs: health.maxLag,
    monotonicReads: affinity.monotonic ? monotonicReads(consistency, health) : null,
    residency: routing.residency.map(residencyRule),
    paths: routing.paths.map(pathRule),
  };
}

/** A replica that has just fallen behind says so with its next probe. */
function monotonicReads(
  { graceWindow }: Config["consistency"],
  { interval, timeout }: Config["health"],
): MonotonicReads {
  return { unknownLagMs: graceWindow, marginMs: interval + timeout };
}

function residencyRule({ match, jurisdictions }: Config["routing"]["residency"][number]): ResidencyRule {
  return { header: match.header, values: match.in.map((value) => value.toLowerCase()), jurisdictions };
}

function pathRule({ path, methods, as }: Config["routing"]["paths"][number]): PathRule {
  const prefix = path.endsWith("*");
  return { path: prefix ? path.slice(0, -1) : path, prefix, methods: methods ?? null, as };
}
