import type { PathRule } from "../routing/intent.ts";
import type { ResidencyRule } from "../routing/residency.ts";
import type { Rules } from "../routing/rules.ts";
import type { Config } from "./schema.ts";

/** The part of the configuration that a decision follows, in the shape that routing wants. */
export function rulesOf({ routing, consistency, health }: Config): Rules {
  return {
    policy: routing.policy,
    topology: routing.topology,
    whenAllDown: routing.whenAllDown,
    whenWriterDown: consistency.whenWriterDown,
    maxLagMs: health.maxLag,
    residency: routing.residency.map(residencyRule),
    paths: routing.paths.map(pathRule),
  };
}

function residencyRule({ match, jurisdictions }: Config["routing"]["residency"][number]): ResidencyRule {
  return { header: match.header, values: match.in.map((value) => value.toLowerCase()), jurisdictions };
}

function pathRule({ path, methods, as }: Config["routing"]["paths"][number]): PathRule {
  const prefix = path.endsWith("*");
  return { path: prefix ? path.slice(0, -1) : path, prefix, methods: methods ?? null, as };
}
