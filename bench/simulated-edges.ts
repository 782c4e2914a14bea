import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../src/clock.ts";
import { guardRedis } from "../src/consistency/fleet-pins.ts";
import { EventBus } from "../src/events.ts";
import { RedisHash } from "../src/fleet/redis-hash.ts";
import { connectRedis } from "../src/redis.ts";

/**
 * What edges without clients do on Redis, each over two connections of its own, by the code that edges do it with; and
 * nothing else of an edge. They say of themselves what an edge that is there has said: `simulated-edges.ts PORT NAMESPACE COUNT`.
 */
const [port = "", namespace = "", count = ""] = process.argv.slice(2);
const url = { url: `redis://127.0.0.1:${port}` };

const first = connectRedis(url.url, "bench");
await new Promise((ready) => first.once("ready", ready));
const said = await whatAnEdgeSays();
first.disconnect();
for (let nth = 0; nth < Number(count); nth += 1) await join(`simulated-${nth}`);

async function whatAnEdgeSays(): Promise<string> {
  for (;;) {
    const fields = await first.hgetall(`${namespace}:topology`);
    const [, text] = Object.entries(fields).find(([name]) => name.startsWith("edge:")) ?? [];
    if (text !== undefined) return text.slice(text.indexOf(" ") + 1);
    await sleep(100);
  }
}

async function join(edgeId: string): Promise<void> {
  const [client, listener] = [connectRedis(url.url, edgeId), connectRedis(url.url, edgeId)];
  const pins = guardRedis(client, namespace, { clock: systemClock, events: new EventBus() });
  const hash = new RedisHash(client, namespace, { edgeId, listener });
  hash.say(() => said);
  await pins.ready(1_000);
  await hash.start();
}
