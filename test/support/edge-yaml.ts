import { parse, stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";

type Tree = { readonly [key: string]: unknown };

/** What production does in tens of seconds takes less than one, so that tests can wait for it. */
const QUICK = `
edge: { id: edge-under-test }
listen: { http: { host: 127.0.0.1, port: 0 } }
admin: { host: 127.0.0.1, port: 0 }
secrets: [a-secret-that-only-tests-use]
health: { interval: 500ms, timeout: 450ms, rise: 2, fall: 2, maxLag: 1s }
routing: { nearness: { dwell: 500ms }, slowStart: 0ms }
consistency: { graceWindow: 2s }
proxy: { responseTimeout: 5s, connectTimeout: 1s }
shutdown: { grace: 2s }
limits: { overload: { eventLoopDelay: 0ms } } # the machine of a test is busy with the test
log: { level: info, access: all }
`;

/** A configuration for an edge in front of a world; what `overridesYaml` says wins, key by key. */
export function edgeYaml(world: SimulatedWorld, overridesYaml = ""): string {
  return stringify(merge(merge(parse(QUICK), { regions: regionsOf(world) }), parse(overridesYaml) ?? {}));
}

function regionsOf(world: SimulatedWorld): Tree {
  const entry = ({ id, url, setup: { role, jurisdiction } }: SimulatedWorld["regions"][number]) => [
    id,
    { role, endpoints: [url], ...(jurisdiction === undefined ? {} : { jurisdiction }) },
  ];
  return Object.fromEntries(world.regions.map(entry));
}

/** Lists and plain values are replaced, maps are merged. */
function merge(base: Tree, over: Tree): Tree {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isTree(before) && isTree(value) ? merge(before, value) : value;
  }
  return merged;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
