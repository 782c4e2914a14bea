import type { DataPlane } from "./data-plane.ts";

/**
 * What clients meet, as the rest of an edge sees it: in this process ({@link DataPlane}), or in workers
 * (`workers/worker-plane`).
 */
export type Plane = Pick<
  DataPlane,
  "configure" | "connections" | "hurry" | "listen" | "populations" | "regionLoad" | "settings" | "stop"
> & {
  readonly overload: Pick<DataPlane["overload"], "causes">;
  readonly limits: Pick<DataPlane["limits"], "most">;
  readonly tunnels: Pick<DataPlane["tunnels"], "closeAll" | "counts" | "loseRegion">;
  readonly streams: Pick<DataPlane["streams"], "counts">;
};

/** What is measured of it, where it is in this process. */
export function planeGauges(plane: Plane) {
  return {
    tunnels: () => plane.tunnels.counts(),
    streams: () => plane.streams.counts(),
    connections: () => plane.connections,
    connectionsMost: () => plane.limits.most,
    overload: () => plane.overload.causes,
    regionLoad: (region: string) => plane.regionLoad(region),
  };
}
