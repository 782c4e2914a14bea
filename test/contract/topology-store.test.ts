import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { RedisTopologyStore } from "../../src/fleet/redis-topology.ts";
import {
  firstTopology,
  MemoryTopologyStore,
  TopologyAway,
  type TopologyStore,
} from "../../src/fleet/topology.ts";
import { connectRedis, type RedisClient } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const FIRST = firstTopology("us-east");
const at = (position: number) => position.toString(16).padStart(16, "0");
const TO_EU = { from: 1, to: 2, writer: "eu-west", at: at(40) };

function contract(name: string, open: () => Promise<TopologyStore>): void {
  describe(`the ${name} topology`, () => {
    it("begins as the file has it", async () => {
      assert.deepEqual((await open()).get(), FIRST);
    });

    it("is promoted from the epoch that was meant, once", async () => {
      const store = await open();
      assert.equal(await store.promote(TO_EU), true);
      const second = { epoch: 2, writer: "eu-west", mode: "rw", promotions: [{ epoch: 2, at: at(40) }] };
      assert.deepEqual(store.get(), second);
      assert.equal(await store.promote({ ...TO_EU, writer: "ap-south" }), false);
      assert.deepEqual(store.get(), second);
    });

    it("is held for a while, and released by whoever holds it, by the promotion, or by itself", async () => {
      const store = await open();
      assert.equal(await store.hold(2, 60_000), false);
      assert.equal(await store.hold(1, 60_000), true);
      assert.equal(store.get().mode, "ro");
      assert.equal(await store.resume(1), true);
      assert.deepEqual(store.get(), FIRST);
      await store.hold(1, 60_000);
      await store.promote(TO_EU);
      assert.equal(store.get().mode, "rw");
      await store.hold(2, 100);
      await eventually(() => store.get().mode === "rw");
    });

    it("is held by one at a time", async () => {
      const store = await open();
      assert.deepEqual([await store.hold(1, 60_000), await store.hold(1, 60_000)], [true, false]);
    });

    it("is not promoted by who has held writes and holds them no more", async () => {
      const store = await open();
      await store.hold(1, 100);
      await eventually(() => store.get().mode === "rw");
      assert.equal(await store.promote({ ...TO_EU, whileHeld: true }), false);
      await store.hold(1, 60_000);
      assert.equal(await store.promote({ ...TO_EU, whileHeld: true }), true);
    });

    it("knows where the last few epochs began, and not where one began that it only heard of", async () => {
      const store = await open();
      for (let epoch = 1; epoch <= 10; epoch += 1)
        await store.promote({ from: epoch, to: epoch + 1, writer: "eu-west", at: at(epoch) });
      assert.deepEqual(
        store.get().promotions.map(({ epoch }) => epoch),
        [4, 5, 6, 7, 8, 9, 10, 11],
      );
      await store.promote({ from: 11, to: 20, writer: "eu-west", at: null });
      assert.deepEqual([store.get().epoch, store.get().promotions.at(-1)?.epoch], [20, 11]);
    });

    it("tells of every change, and of nothing else", async () => {
      const store = await open();
      const heard: string[] = [];
      store.onChange(({ epoch, mode }) => heard.push(`${epoch} ${mode}`));
      await store.refresh();
      await store.hold(1, 60_000);
      await store.refresh();
      await store.promote(TO_EU);
      assert.deepEqual(heard, ["1 ro", "2 rw"]);
    });
  });
}

contract("memory", async () => new MemoryTopologyStore(FIRST));

describe("the topology of a lone edge", () => {
  it("follows a file that says something new, and no file that repeats itself after a move", async () => {
    const store = new MemoryTopologyStore(FIRST);
    store.fileSays("eu-west");
    assert.equal(store.get().writer, "eu-west");
    await store.promote({ ...TO_EU, writer: "ap-south" });
    store.fileSays("eu-west");
    assert.equal(store.get().writer, "ap-south");
  });
});

let server: RedisServer;
const open: { readonly store: RedisTopologyStore; readonly client: RedisClient }[] = [];

async function edge(first = FIRST): Promise<RedisTopologyStore> {
  const client = connectRedis(server.url, "fleet");
  const store = new RedisTopologyStore(client, "meridian", first);
  open.push({ store, client });
  await store.start();
  return store;
}

async function closeAll(): Promise<void> {
  for (const { store, client } of open.splice(0)) {
    await store.close();
    client.disconnect();
  }
}

before(async () => {
  server = await startRedis();
});
after(async () => {
  await closeAll();
  await server.stop();
});
beforeEach(async () => {
  await closeAll();
  await server.flush();
});

contract("Redis", () => edge());

describe("the topology of a fleet", () => {
  it("is followed by every edge, and found by one that starts later, whatever its file says", async () => {
    const [here, there] = [await edge(), await edge()];
    await here.promote(TO_EU);
    await eventually(() => there.get().epoch === 2);
    assert.deepEqual(there.get(), here.get());
    assert.deepEqual((await edge(firstTopology("ap-south"))).get(), here.get());
  });

  it("is the first file's that finds none", async () => {
    await edge();
    assert.equal((await edge(firstTopology("ap-south"))).get().writer, "us-east");
  });

  it("is never lowered by a Redis that has lost its memory, nor by one that starts with it", async () => {
    const here = await edge();
    await here.promote(TO_EU);
    await server.flush();
    const late = await edge();
    await here.refresh();
    assert.equal(here.get().epoch, 2);
    await eventually(() => late.get().epoch === 2);
    assert.deepEqual(late.get(), here.get());
  });

  it("is moved by one of two who try at once", async () => {
    const [here, there] = [await edge(), await edge()];
    const done = await Promise.all([here.promote(TO_EU), there.promote({ ...TO_EU, writer: "ap-south" })]);
    assert.equal(done.filter(Boolean).length, 1);
    await Promise.all([here.refresh(), there.refresh()]);
    assert.deepEqual(here.get(), there.get());
  });

  it("is neither held, released nor promoted by another edge than the one that holds it", async () => {
    const [here, there] = [await edge(), await edge()];
    await here.hold(1, 60_000);
    assert.equal(await there.hold(1, 60_000), false);
    assert.equal(await there.resume(1), false);
    assert.equal(await there.promote(TO_EU), false);
    assert.equal((await here.refresh()) && here.get().mode, "ro");
    assert.equal(await here.promote({ ...TO_EU, whileHeld: true }), true);
  });

  it("is not promoted so late that an edge may take writes again before it hears of it", async () => {
    const here = await edge();
    await here.hold(1, 1_500);
    assert.equal(await here.promote({ ...TO_EU, whileHeld: true }), false);
  });

  it("is held no longer than was said, though Redis is gone", async () => {
    const here = await edge();
    await here.hold(1, 500);
    assert.equal(here.get().mode, "ro");
    await server.kill();
    await eventually(() => here.get().mode === "rw");
    await server.restart();
  });

  it("gets a writer where several were before, from the first file that names one", async () => {
    await edge(firstTopology(null));
    assert.equal((await edge()).get().writer, "us-east");
  });

  it("keeps the last that it knew while Redis is away, and changes nothing", async () => {
    const here = await edge();
    await here.promote(TO_EU);
    await server.kill();
    assert.equal(await here.refresh(), false);
    assert.equal(here.get().epoch, 2);
    await assert.rejects(here.hold(2, 1_000), TopologyAway);
    await server.restart();
    await eventually(() => here.refresh());
  });
});
