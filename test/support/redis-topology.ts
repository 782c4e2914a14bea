import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SHARDS, shardKey } from "../../src/consistency/redis.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { type RedisServer, startRedis, startSentinelProcess } from "./redis.ts";

const SENTINELS = 3;
const NODES = 3;
const STARTUP = { withinMs: 15_000 };

/** What every test topology has: servers of its own on the loopback, and a directory that goes with them. */
interface Topology {
  stop(): Promise<void>;
}

export interface SentinelTopology extends Topology {
  /** What the Sentinels call the primary. */
  readonly name: string;
  readonly sentinels: readonly RedisServer[];
  readonly primary: RedisServer;
  readonly replica: RedisServer;
}

export interface ClusterTopology extends Topology {
  readonly nodes: readonly RedisServer[];
  /** The shards of pins whose slots this node has. */
  shardsOf(node: RedisServer): Promise<readonly number[]>;
  /** Makes these nodes some that have long held what they were told, so that no edge doubts them. */
  age(): Promise<void>;
  /** One more server, that has what this node has and takes its place when it dies. */
  addReplica(of: RedisServer): Promise<RedisServer>;
}

/** A primary, its replica, and three Sentinels that take half a second's silence for death. Ready for a failover. */
export async function startSentinel(): Promise<SentinelTopology> {
  const name = "mymaster";
  const directory = await mkdtemp(join(tmpdir(), "meridian-sentinel-"));
  const replication = ["--dir", directory, "--repl-diskless-sync-delay", "0"];
  const primary = await startRedis({ options: replication });
  const replica = await startRedis({
    options: [...replication, "--replicaof", "127.0.0.1", `${primary.port}`],
  });
  await eventually(
    async () => (await replica.command("INFO replication")).includes("link_status:up"),
    STARTUP,
  );
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, () => startSentinelOf(primary, name, directory)),
  );
  await Promise.all(sentinels.map((sentinel) => eventually(() => isReady(sentinel, name), STARTUP)));
  const servers = [...sentinels, replica, primary];
  return { name, sentinels, primary, replica, stop: () => stopAll(servers, directory) };
}

async function startSentinelOf(primary: RedisServer, name: string, directory: string): Promise<RedisServer> {
  const port = await freePort();
  const file = join(directory, `sentinel-${port}.conf`);
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${directory}`,
    `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 3000`,
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  return startSentinelProcess(port, file);
}

/** It knows the replica and both other Sentinels. */
async function isReady(sentinel: RedisServer, name: string): Promise<boolean> {
  const known = await sentinel.command("INFO sentinel");
  return known.includes(`name=${name},status=ok`) && known.includes(`slaves=1,sentinels=${SENTINELS}`);
}

/** Three primaries without replicas, of which two go on without the third. Knows where its slots are. */
export async function startCluster(): Promise<ClusterTopology> {
  const directory = await mkdtemp(join(tmpdir(), "meridian-cluster-"));
  const nodes = await Promise.all(
    Array.from({ length: NODES }, (_, i) => startNode(join(directory, `${i}`))),
  );
  const addresses = nodes.map(({ port, busPort }) => `127.0.0.1:${port}@${busPort}`);
  await promisify(execFile)("redis-cli", ["--cluster", "create", ...addresses, "--cluster-yes"]);
  const servers = nodes.map(({ server }) => server);
  const isWhole = async (node: RedisServer) => {
    const info = await node.command("CLUSTER INFO");
    return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${NODES}`);
  };
  await Promise.all(servers.map((node) => eventually(() => isWhole(node), STARTUP)));
  const addReplica = async (of: RedisServer) => {
    const replica = await startNode(join(directory, `replica-${servers.length}`));
    servers.push(replica.server);
    await joinAsReplica(replica, of, servers);
    return replica.server;
  };
  const stop = () => stopAll(servers, directory);
  return { nodes: [...servers], shardsOf, age: () => ageAll(servers), addReplica, stop };
}

interface ClusterNode {
  readonly server: RedisServer;
  readonly port: number;
  readonly busPort: number;
}

async function startNode(dir: string): Promise<ClusterNode> {
  await mkdir(dir);
  const busPort = await freePort();
  const server = await startRedis({
    options: [
      ...["--dir", dir, "--repl-diskless-sync-delay", "0"],
      ...["--cluster-enabled", "yes", "--cluster-port", `${busPort}`],
      ...["--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"],
    ],
  });
  return { server, port: server.port, busPort };
}

/** Resolves when all of them know it for a replica: who does not would not vote for it. */
async function joinAsReplica(
  { server, port, busPort }: ClusterNode,
  primary: RedisServer,
  all: readonly RedisServer[],
): Promise<void> {
  const id = /^\$\d+\r\n(\w+)/.exec(await primary.command("CLUSTER MYID"))?.[1] ?? "";
  await primary.command(`CLUSTER MEET 127.0.0.1 ${port} ${busPort}`);
  await eventually(async () => (await server.command(`CLUSTER REPLICATE ${id}`)).startsWith("+OK"), STARTUP);
  await eventually(
    async () => (await server.command("INFO replication")).includes("link_status:up"),
    STARTUP,
  );
  const knows = async (node: RedisServer) =>
    (await node.command(`CLUSTER REPLICAS ${id}`)).includes(`:${port}@`);
  await Promise.all(all.map((node) => eventually(() => knows(node), STARTUP)));
}

async function shardsOf(node: RedisServer): Promise<readonly number[]> {
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
  const asked = shards.map(async (shard) => {
    const answer = await node.command(`EXISTS ${shardKey("meridian", shard, "any")}`);
    return answer.startsWith(":") ? shard : null;
  });
  return (await Promise.all(asked)).filter((shard) => shard !== null);
}

async function ageAll(nodes: readonly RedisServer[]): Promise<void> {
  for (const node of nodes)
    for (const shard of await shardsOf(node)) await node.age(shardKey("meridian", shard, "born"));
}

async function stopAll(servers: readonly RedisServer[], directory: string): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(directory, { recursive: true });
}
