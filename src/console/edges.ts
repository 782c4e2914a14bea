import type { EdgesAnswer } from "../admin/fleet-messages.ts";

export type Member = EdgesAnswer["edges"][number];

/** An edge, and the processes that carry its requests where it has several: in the fleet each of them is a member, `EDGE/N`. */
export interface EdgeRow {
  readonly edge: Member;
  readonly workers: readonly Member[];
}

/** By name. A worker whose edge nobody has heard of stands for itself. */
export function edgeRows(members: readonly Member[]): readonly EdgeRow[] {
  const ofEdge = Map.groupBy(members, ({ id, worker }) => (worker === null ? id : edgeOf(id)));
  const rows = [...ofEdge.values()].flatMap((own): readonly EdgeRow[] => {
    const edge = own.find(({ worker }) => worker === null);
    if (edge === undefined) return own.map((worker) => ({ edge: worker, workers: [] }));
    const workers = own.filter((each) => each !== edge).toSorted((a, b) => (a.worker ?? 0) - (b.worker ?? 0));
    return [{ edge, workers }];
  });
  return rows.toSorted((a, b) => a.edge.id.localeCompare(b.edge.id, "en", { numeric: true }));
}

const edgeOf = (workerId: string) => workerId.slice(0, workerId.lastIndexOf("/"));

/** What becomes of writes there; of an edge with workers it is they who carry them. */
export function writesText({ edge, workers }: EdgeRow): string {
  const carriers = workers.length === 0 ? [edge] : workers;
  const holding = carriers.filter(({ holdsWrites }) => holdsWrites).length;
  if (holding === carriers.length) return "held";
  const underWay = carriers.reduce((sum, { writesUnderWay }) => sum + writesUnderWay, 0);
  return holding === 0
    ? `${underWay} under way`
    : `${underWay} under way, ${holding} of ${carriers.length} hold`;
}

/** `2 workers`, or which of them say nothing; null for an edge without. */
export function workersText({ workers }: EdgeRow): string | null {
  if (workers.length === 0) return null;
  const silent = workers.filter(({ live }) => !live).map(({ worker }) => worker);
  if (silent.length === 0) return workers.length === 1 ? "1 worker" : `${workers.length} workers`;
  return `${workers.length} workers, silent: ${silent.join(", ")}`;
}
