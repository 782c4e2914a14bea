import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { RedisPinStore } from "../src/consistency/redis.ts";
import type { Pid } from "../src/consistency/store.ts";
import { connectRedis } from "../src/redis.ts";
import { type RedisServer, startRedis } from "../test/support/redis.ts";

/**
 * What a pin costs Redis: fills servers of its own, one after the other, with as many live writes through the store
 * that edges use, and prints what each then holds. `npm run measure:pins`; a few minutes for a million.
 */
const USAGE = `npm run measure:pins -- [--pins 1000000] [--at-once 2000]
`;
/** None ends before it is counted. */
const LIFE_MS = 3_600_000;
/** What it may come to, with room: nothing is begun that the machine could not hold. */
const BYTES_PER_PIN_AT_MOST = 2_000;
const COMMAND_TIMEOUT_MS = 60_000;
/** Until Redis has let go of what its clients had needed. */
const REST_MS = 1_500;

interface Shape {
  readonly name: string;
  /** Whether the feed is told. */
  readonly tells: boolean;
  readonly writesPerUser: number;
  /** Whether each write has ended, with its place in the write log. */
  readonly positioned: boolean;
}

const ONE = { tells: false, writesPerUser: 1, positioned: false };
const SHAPES: readonly Shape[] = [
  { ...ONE, name: "strict, a write each" },
  { ...ONE, name: "strict, with positions", positioned: true },
  { ...ONE, name: "bounded, a write each", tells: true },
  { ...ONE, name: "bounded, with positions", tells: true, positioned: true },
  { ...ONE, name: "strict, 64 writes each", writesPerUser: 64 },
  { ...ONE, name: "bounded, 64 writes each", tells: true, writesPerUser: 64 },
];

interface Memory {
  readonly usedBytes: number;
  readonly residentBytes: number;
}

interface Measured {
  readonly users: number;
  readonly writes: number;
  readonly seconds: number;
  readonly used: number;
  readonly resident: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pins: { type: "string", default: "1000000" },
      "at-once": { type: "string", default: "2000" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const [pins, atOnce] = [Number(values.pins), Number(values["at-once"])];
  const needed = pins * BYTES_PER_PIN_AT_MOST;
  if (!(process.availableMemory() > needed))
    throw new Error(`needs ${Math.ceil(needed / 1e6)} MB of free memory`);
  print(["", "users", "writes", "seconds", "writes/s", "used B/write", "RSS B/write", "used B/user", "MB"]);
  for (const shape of SHAPES) print(row(shape.name, await measure(shape, pins, atOnce)));
}

/** On a server that holds nothing else. */
async function measure(shape: Shape, pins: number, atOnce: number): Promise<Measured> {
  const server = await startRedis();
  const client = connectRedis(server.url, "measure", Math.random, COMMAND_TIMEOUT_MS);
  try {
    await new Promise((ready) => client.once("ready", ready));
    const store = new RedisPinStore(client, "meridian", () => shape.tells);
    const users = Math.max(1, Math.floor(pins / shape.writesPerUser));
    const before = await memoryOf(server);
    const startMs = performance.now();
    await fill(store, shape, users, atOnce);
    const seconds = (performance.now() - startMs) / 1_000;
    const after = await memoryOf(server);
    const used = after.usedBytes - before.usedBytes;
    const resident = after.residentBytes - before.residentBytes;
    return { users, writes: users * shape.writesPerUser, seconds, used, resident };
  } finally {
    client.disconnect();
    await server.stop();
  }
}

/** One command for each write, many on their way at once, as when an edge tells a Redis that is back. */
async function fill(store: RedisPinStore, shape: Shape, users: number, atOnce: number): Promise<void> {
  const nonce = randomBytes(9).toString("base64url");
  let writes = 0;
  for (let done = 0; done < users; done += atOnce) {
    const pids = Array.from({ length: Math.min(atOnce, users - done) }, newPid);
    for (let nth = 0; nth < shape.writesPerUser; nth += 1) {
      const ids = pids.map((pid): readonly [Pid, string] => [pid, `${nonce}.${++writes}`]);
      await Promise.all(ids.map(([pid, id]) => store.begin([pid], id, LIFE_MS)));
      if (!shape.positioned) continue;
      const position = { epoch: 1, at: writes.toString(16).padStart(16, "0") };
      await Promise.all(ids.map(([pid, id]) => store.end([pid], id, LIFE_MS, position)));
    }
  }
}

/** As long as one made of a hash. */
function newPid(): Pid {
  return randomBytes(17).toString("base64url").slice(0, 22);
}

async function memoryOf(server: RedisServer): Promise<Memory> {
  await sleep(REST_MS);
  const info = await server.command("INFO memory");
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1]);
  return { usedBytes: field("used_memory"), residentBytes: field("used_memory_rss") };
}

function row(name: string, { users, writes, seconds, used, resident }: Measured): readonly string[] {
  const per = (bytes: number, of: number) => (bytes / of).toFixed(0);
  return [
    ...[name, `${users}`, `${writes}`, seconds.toFixed(1), per(writes, seconds)],
    ...[per(used, writes), per(resident, writes), per(used, users), per(used, 1e6)],
  ];
}

function print(cells: readonly string[]): void {
  const [name = "", ...figures] = cells;
  process.stdout.write(`${name.padEnd(26)}${figures.map((each) => each.padStart(13)).join("")}\n`);
}

await main();
