import type { RequestRecord } from "../../src/events.ts";
import type { Region, View } from "../../src/routing/region.ts";

/** A request that went well, with what a test wants to be different. */
export function record(differences: Partial<RequestRecord> = {}): RequestRecord {
  return {
    id: "r-1",
    startedAtWallMs: 1_700_000_000_000,
    method: "GET",
    path: "/orders/7",
    protocol: "http/1.1",
    status: 200,
    region: "eu-west",
    reason: "latency",
    fault: null,
    attempts: [
      {
        region: "eu-west",
        endpoint: "http://10.1.0.10:8080",
        outcome: 200,
        startedMs: 0.2,
        durationMs: 20.12345,
      },
    ],
    durationMs: 30,
    upstreamMs: 20.12345,
    overheadMs: 0.4,
    bytesIn: 0,
    bytesOut: 512,
    pin: "free",
    pinLookup: null,
    consistency: null,
    affinity: "hit",
    complete: true,
    trace: null,
    decision: null,
    inputs: null,
    ...differences,
  };
}

export function region(id: string, differences: Partial<Region> = {}): Region {
  return {
    id,
    role: "replica",
    jurisdiction: null,
    weight: 100,
    health: "up",
    admission: "open",
    latencyMs: 10,
    lagMs: null,
    applied: null,
    writer: null,
    fenced: false,
    warmth: 1,
    ...differences,
  };
}

export function view(
  regions: readonly Region[],
  { writeRegion = "us-east", epoch = 1 }: { writeRegion?: string | null; epoch?: number } = {},
): View {
  const byId = new Map(regions.map((each) => [each.id, each]));
  return {
    regions,
    byId,
    nearest: regions,
    writeRegion,
    epoch,
    promotions: [],
    moving: false,
    vouched: false,
  };
}
