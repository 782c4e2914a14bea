import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { RegionSetup } from "../../src/demo/simulated-region.ts";
import { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { Visitors } from "../../src/demo/visitors.ts";
import type { Edge } from "../../src/edge.ts";
import { startTestEdge } from "../../test/support/edge.ts";
import { startRedis } from "../../test/support/redis.ts";

/** As seen from Frankfurt. */
const REGIONS: readonly RegionSetup[] = [
  { id: "us-east", role: "writer", delayMs: 84, jurisdiction: "us", location: [39, -77.5] },
  { id: "us-west", role: "replica", delayMs: 142, lagMs: 90, jurisdiction: "us", location: [45.6, -121.2] },
  { id: "eu-west", role: "replica", delayMs: 24, lagMs: 110, jurisdiction: "eu", location: [53.3, -6.3] },
  { id: "eu-north", role: "replica", delayMs: 31, lagMs: 140, jurisdiction: "eu", location: [60.6, 17.1] },
  { id: "ap-south", role: "replica", delayMs: 118, lagMs: 260, location: [19.1, 72.9] },
  { id: "ap-northeast", role: "standby", delayMs: 216, lagMs: 330, location: [35.7, 139.7] },
];

/** Each edge prefers others, as it would where it is. */
const EDGES = [
  { id: "edge-fra", location: [50.1, 8.7], visitors: 26, weights: null },
  { id: "edge-ord", location: [41.9, -87.6], visitors: 16, weights: { "us-east": 60, "us-west": 40 } },
  { id: "edge-sin", location: [1.35, 103.8], visitors: 8, weights: { "ap-south": 100 } },
] as const;

/** A fleet on this machine, with visitors, for the pictures. */
export interface Scene {
  readonly world: SimulatedWorld;
  readonly url: string;
  /** How long the promotion of a database takes from now on. */
  hookMs: number;
  close(): Promise<void>;
}

export async function setScene(): Promise<Scene> {
  const redis = await startRedis({ aged: true });
  await redis.command("HSET meridian:topology rev 1 bornMs 0 epoch 3 writer us-east mode rw");
  const world = await SimulatedWorld.start(REGIONS);
  world.epoch = 3;
  const hook = createServer(async (request, response) => {
    const [chunk] = await request.toArray();
    const { to, epoch } = JSON.parse(String(chunk)) as { to: string; epoch: number };
    await sleep(scene.hookMs);
    response.writeHead(world.promote(to, epoch) ? 200 : 409).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => hook.once("listening", resolve));
  const hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  const edges: Edge[] = [];
  for (const edge of EDGES) edges.push(await startTestEdge(world, yamlOf(edge, redis.url, hookUrl)));
  const visitors = edges.map(
    ({ httpUrl }, index) =>
      new Visitors({
        url: httpUrl,
        count: EDGES[index]?.visitors ?? 1,
        thinkMs: 500,
        writeShare: 0.05,
        chance: Math.random,
      }),
  );
  for (const each of visitors) each.start();
  const scene: Scene = {
    world,
    url: edges[0]?.adminUrl ?? "",
    hookMs: 0,
    close: async () => {
      await Promise.all(visitors.map((each) => each.stop()));
      await Promise.all(edges.map((edge) => edge.stop(0)));
      await world.stop();
      hook.close();
      await redis.stop();
    },
  };
  return scene;
}

function yamlOf(
  { id, location, weights }: (typeof EDGES)[number],
  redisUrl: string,
  hookUrl: string,
): string {
  const regions = REGIONS.map(({ id: region, location: at }) => {
    const weight = weights === null ? 100 : ((weights as Readonly<Record<string, number>>)[region] ?? 0);
    return [region, { location: at, weight, capacity: 400 }];
  });
  return JSON.stringify({
    edge: { id, location },
    redis: { url: redisUrl },
    regions: Object.fromEntries(regions),
    health: { maxLag: "3s" },
    routing: { policy: weights === null ? "latency" : "weighted", slowStart: "5s" },
    failover: { hook: { url: hookUrl, timeout: "20s" } },
    schedule: {
      maintenance: [
        { region: "eu-north", cron: "30 2 * * 0", lasts: "45m", action: "drain", reason: "kernel updates" },
      ],
      drills: [{ region: "ap-south", cron: "0 10 * * 3", lasts: "2m", reason: "weekly" }],
    },
  });
}
