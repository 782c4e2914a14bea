import { spawnSync } from "node:child_process";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { EventBus } from "../../src/events.ts";
import { connectRedis } from "../../src/redis.ts";
import { startRedis } from "../../test/support/redis.ts";
import type { Micro } from "./measure.ts";

export interface Closable {
  close(): Promise<void>;
}

export interface Subject extends Closable {
  readonly micros: readonly Micro[];
}

const USERS = 10_000;
/** Readers of one turn of the event loop, as 64 busy connections make them. */
const TOGETHER = 16;
const STRANGER = { carriesToken: false };
const READY_WITHIN_MS = 5_000;

const config = configSchema.parse({ regions: {} });
const pids = Array.from({ length: USERS }, (_, i) => [`${i}`.padStart(22, "x")]);
const pidsOf = (i: number) => pids[i % USERS] ?? [];

/** Without Redis: what this process knows. Every tenth user is pinned. */
export function localPins(): Subject {
  const pins = new Pins(config, { clock: systemClock, events: new EventBus(), store: null });
  for (let i = 0; i < USERS; i += 10) pins.open(pidsOf(i));
  return {
    micros: [
      {
        name: "pin: known here or not",
        budgetNs: 250,
        budgetBytes: 250,
        run: (i) => pins.known(pidsOf(i), null),
      },
      {
        name: "pin: write opened and ended, here",
        budgetNs: 8_000,
        budgetBytes: 8_000,
        run: (i) => pins.open(pidsOf(i * 10 + 1)).settle("committed"),
      },
    ],
    close: () => pins.close(),
  };
}

/** Over a redis-server of its own; null when there is none. The time is that until the answer, so it is Redis's too. */
export async function redisPins(): Promise<Subject | null> {
  if (spawnSync("redis-server", ["--version"]).status !== 0) return null;
  const server = await startRedis({ aged: true });
  const client = connectRedis(server.url, "bench");
  const events = new EventBus();
  const store = guardRedis(client, "meridian", { clock: systemClock, events });
  const pins = new Pins(config, { clock: systemClock, events, store });
  if (!(await store.ready(READY_WITHIN_MS))) throw new Error("redis-server does not answer");
  const readers = Array.from({ length: TOGETHER }, (_, i) => i);
  return {
    micros: [
      {
        name: `pin: looked up in Redis, ${TOGETHER} together`,
        budgetNs: 12_000,
        budgetBytes: 6_000,
        operations: TOGETHER,
        run: (i) => Promise.all(readers.map((reader) => pins.read(pidsOf(i * TOGETHER + reader), STRANGER))),
      },
      {
        name: "pin: looked up in Redis, alone",
        budgetNs: 150_000,
        budgetBytes: 17_000,
        run: (i) => pins.read(pidsOf(i), STRANGER),
      },
    ],
    close: async () => {
      await pins.close();
      client.disconnect();
      await server.stop();
    },
  };
}
