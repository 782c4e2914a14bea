import type { Decision, Facts, Reason } from "./decision.ts";

/** Reasons that chose a home. Everything else was a detour, after which the user goes home. */
const HOMES: ReadonlySet<Reason> = new Set([
  "affinity",
  "latency",
  "priority",
  "weight",
  "residency",
  "failover",
]);

/** What becomes of a session's cookie: which region to write into it, or null to leave it as it is. */
export interface AffinityOutcome {
  readonly result: "hit" | "moved" | "new" | "kept" | "none";
  readonly home: string | null;
}

/**
 * A pin, a write, a retry or a last resort never moves a session (traefik#3975, Azure Q&A 5875342); it moves
 * when its region could not serve it, and then for good (traefik#1299).
 */
export function affinityAfter(facts: Facts, decision: Decision): AffinityOutcome {
  if (facts.intent === "static" || decision.kind === "refused") return { result: "none", home: null };
  if (decision.home !== undefined) {
    const stays = decision.home === facts.affinity;
    return { result: stays ? "kept" : "moved", home: stays ? null : decision.home };
  }
  if (!HOMES.has(decision.reason) || decision.consistency !== null) {
    return { result: facts.affinity === null ? "none" : "kept", home: null };
  }
  if (facts.affinity === null) return { result: "new", home: decision.region };
  return { result: facts.affinity === decision.region ? "hit" : "moved", home: decision.region };
}
