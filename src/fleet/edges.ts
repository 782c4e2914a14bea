import type { Health } from "../routing/region.ts";
import type { Rate } from "../routing/traffic.ts";
import type { EdgeDrill } from "./drill-report.ts";
import type { SharedHash } from "./shared-hash.ts";

/** Latitude and longitude. */
export type Location = readonly [number, number];

/** A region as one edge sees it. */
export interface SeenRegion {
  readonly health: Health;
  readonly latencyMs: number | null;
  readonly lagMs: number | null;
  /** What it says of itself; null where it says nothing. */
  readonly writer: boolean | null;
  readonly epoch: number | null;
  readonly applied: string | null;
}

/** What an edge says of itself to the others. */
export interface EdgeReport {
  readonly version: string;
  /** Latitude and longitude; null when its file does not say. */
  readonly location: Location | null;
  /** Which worker of an edge this is; null for an edge, that is for its only process or for the one that leads its workers. */
  readonly worker: number | null;
  /** The move for which it holds writes; null when it sends them. */
  readonly holds: string | null;
  /** Writes that it has sent and that have not ended. */
  readonly writesUnderWay: number;
  /** What it has measured of the drill that it follows, or has followed last; null when it has followed none. */
  readonly drill: EdgeDrill | null;
  readonly regions: Readonly<Record<string, SeenRegion>>;
  /** What it has sent to each region in the last ten seconds. */
  readonly rates: readonly Rate[];
}

/** An edge of the fleet as the shared memory knows it. */
export interface KnownEdge extends EdgeReport {
  /** As the shared hash calls it. */
  readonly key: string;
  readonly id: string;
  readonly isSelf: boolean;
  /** When it was last heard of, by the shared clock. */
  readonly seenAtMs: number;
  readonly seenMsAgo: number;
  /** Whether it was heard of so lately that it must be reckoned with. */
  readonly live: boolean;
}

/** Three questions, their time-outs, and room. */
export const LIVE_FOR_MS = 4_000;

/** The edges that have lately spoken, by name. What cannot be read is an edge of which nothing is known. */
export function edgesIn(hash: SharedHash): readonly KnownEdge[] {
  const nowMs = hash.nowMs();
  const known = [...hash.edges()].map(([key, { atMs, text }]) => {
    const seenMsAgo = Math.max(nowMs - atMs, 0);
    const isSelf = key === hash.selfKey;
    return {
      ...readReport(text),
      key,
      id: key.slice(0, key.lastIndexOf(":")),
      isSelf,
      seenAtMs: atMs,
      seenMsAgo,
      live: isSelf || seenMsAgo < LIVE_FOR_MS,
    };
  });
  return known.filter((edge) => !isFormerLife(edge, known)).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** An edge that was killed and is back under its name is not two. */
function isFormerLife({ id, key, live }: KnownEdge, known: readonly KnownEdge[]): boolean {
  return !live && known.some((other) => other.id === id && other.key !== key && other.live);
}

const SILENT: EdgeReport = {
  version: "unknown",
  location: null,
  worker: null,
  holds: null,
  writesUnderWay: 0,
  drill: null,
  regions: {},
  rates: [],
};

function readReport(text: string): EdgeReport {
  try {
    const given: unknown = JSON.parse(text);
    return typeof given === "object" && given !== null ? { ...SILENT, ...given } : SILENT;
  } catch {
    return SILENT;
  }
}

/** How the fleet sees a region. */
export interface Quorum {
  /** Edges that have spoken in the last five minutes. */
  readonly known: number;
  readonly live: number;
  /** As many have to agree: most of those that are known, and never one alone. */
  readonly needed: number;
  /** Live edges by whose eyes the region is down, and by whose it serves. */
  readonly down: number;
  readonly up: number;
}

/** Workers have no eyes of their own: they see what the prober of their edge sees, and an edge is one voice however many it has. */
export function quorumOn(region: string | null, said: readonly KnownEdge[]): Quorum {
  const edges = said.filter(({ worker }) => worker === null);
  const live = edges.filter((edge) => edge.live);
  const seen = (wanted: readonly Health[]) =>
    live.filter(({ regions }) => wanted.includes(regions[region ?? ""]?.health ?? "unknown")).length;
  return {
    known: edges.length,
    live: live.length,
    needed: Math.max(Math.floor(edges.length / 2) + 1, 2),
    down: seen(["down"]),
    up: seen(["up", "degraded"]),
  };
}
