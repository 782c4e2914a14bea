import type { TestContext } from "node:test";
import type { Edge } from "../../src/edge.ts";
import type { RequestRecord } from "../../src/events.ts";
import { type Behaviour, good, RawRegion } from "./raw-region.ts";
import { startScripted } from "./scripted.ts";

export interface RawWorld {
  readonly edge: Edge;
  /** The writer, asked first. */
  readonly main: RawRegion;
  /** A replica without a fault. */
  readonly other: RawRegion;
  readonly records: RequestRecord[];
  /** Why an endpoint was taken out of service, each time. */
  readonly ejected: string[];
}

export interface RawOptions {
  /** Without the region that is well. */
  readonly alone?: boolean;
  /** Where the edge finds the first region, if not where it is. */
  readonly mainUrl?: string;
  /** Keys of the configuration. */
  readonly [key: string]: unknown;
}

/** An edge before one region that does what it likes, and unless it is to be alone, one that is well. */
export async function startRawWorld(
  t: TestContext,
  behaviour: Behaviour,
  { alone = false, mainUrl, ...overrides }: RawOptions = {},
): Promise<RawWorld> {
  const main = await new RawRegion(behaviour).start();
  const other = await new RawRegion(good).start();
  const regions = {
    main: { role: "writer", endpoints: [mainUrl ?? main.url] },
    ...(alone ? {} : { other: { role: "replica", endpoints: [other.url] } }),
  };
  const proxy = { responseTimeout: "1s", connectTimeout: "1s", idleTimeout: "1s" };
  const { edge, stop } = await startScripted({}, { regions, proxy, ...overrides });
  t.after(async () => {
    await stop();
    await Promise.all([main.stop(), other.stop()]);
  });
  const records: RequestRecord[] = [];
  const ejected: string[] = [];
  edge.events.on("requestDone", (record) => records.push(record));
  edge.events.on("endpointEjected", ({ cause }) => ejected.push(cause));
  return { edge, main, other, records, ejected };
}
