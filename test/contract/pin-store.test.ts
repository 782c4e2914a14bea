import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../src/clock.ts";
import { MemoryPinStore } from "../../src/consistency/memory.ts";
import { RedisPinStore } from "../../src/consistency/redis.ts";
import { MAX_WRITES_PER_USER, type Pid, type PinStore } from "../../src/consistency/store.ts";
import { connectRedis, type RedisClient } from "../../src/redis.ts";
import { BY_WRITER } from "../../src/routing/hold.ts";
import type { Position } from "../../src/routing/position.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const INTENT_MS = 40_000;
const WINDOW_MS = 10_000;
/** Two busy cores may stall a test; what is told apart is further apart than this. */
const SLACK_MS = 4_000;

const newPid = (): Pid => randomBytes(17).toString("base64url").slice(0, 22);

const at = (epoch: number, position: number): Position => ({
  epoch,
  at: position.toString(16).padStart(16, "0"),
});

function assertAbout(actualMs: number, expectedMs: number): void {
  const fits = actualMs <= expectedMs && actualMs > expectedMs - SLACK_MS;
  assert.ok(fits, `expected about ${expectedMs} ms, not ${actualMs}`);
}

type Step =
  | {
      readonly kind: "begin" | "end";
      readonly pids: readonly number[];
      readonly write: string;
      readonly ttlMs: number;
    }
  | { readonly kind: "release"; readonly pid: number };

/** What both stores promise, in the plainest words: a deadline for each write of each user. */
class Model {
  readonly #deadlines = new Map<number, Map<string, number>>();

  apply(step: Step): void {
    if (step.kind === "release") {
      this.#deadlines.delete(step.pid);
      return;
    }
    for (const pid of step.pids) this.#applyTo(this.#of(pid), step);
  }

  remainingMs(pids: readonly number[]): number {
    return Math.max(0, ...pids.flatMap((pid) => [...this.#of(pid).values()]));
  }

  writes(pid: number): number {
    return this.#of(pid).size;
  }

  #applyTo(writes: Map<string, number>, step: Extract<Step, { write: string }>): void {
    if (step.kind === "begin") writes.set(step.write, Math.max(step.ttlMs, writes.get(step.write) ?? 0));
    else if (step.ttlMs > 0) writes.set(step.write, step.ttlMs);
    else writes.delete(step.write);
  }

  #of(pid: number): Map<string, number> {
    const writes = this.#deadlines.get(pid) ?? new Map<string, number>();
    this.#deadlines.set(pid, writes);
    return writes;
  }
}

const somePids = fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 3 });
const someWrite = fc.constantFrom("e1.1", "e1.2", "e2.1");
const someStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("begin"),
      pids: somePids,
      write: someWrite,
      ttlMs: fc.constantFrom(20_000, 40_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("end"),
      pids: somePids,
      write: someWrite,
      ttlMs: fc.constantFrom(0, 10_000, 30_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("release"), pid: fc.nat(2) }) },
);

async function run(store: PinStore, pids: readonly Pid[], step: Step): Promise<void> {
  const pid = (index: number): Pid => pids[index] ?? "";
  if (step.kind === "release") await store.release(pid(step.pid));
  else await store[step.kind](step.pids.map(pid), step.write, step.ttlMs);
}

function contract(name: string, open: () => PinStore): void {
  describe(`the ${name} pin store`, () => {
    it("knows nothing of a user who never wrote", async () => {
      const store = open();
      const pid = newPid();
      assert.equal(await store.remaining([pid]), 0);
      assert.equal(await store.inspect(pid), null);
      assert.equal(await store.release(pid), false);
    });

    it("keeps nobody pinned when nobody is asked for", async () => {
      assert.equal(await open().remaining([]), 0);
    });

    it("pins a user from the beginning of a write to the end of its window", async () => {
      const store = open();
      const pid = newPid();
      await store.begin([pid], "a.1", INTENT_MS);
      assertAbout(await store.remaining([pid]), INTENT_MS);
      await store.end([pid], "a.1", WINDOW_MS);
      assertAbout(await store.remaining([pid]), WINDOW_MS);
    });

    it("says how long a user is pinned and by how many writes", async () => {
      const store = open();
      const pid = newPid();
      await store.begin([pid], "a.1", INTENT_MS);
      await store.begin([pid], "a.2", WINDOW_MS);
      const found = await store.inspect(pid);
      assert.equal(found?.pid, pid);
      assert.equal(found?.writes, 2);
      assertAbout(found?.remainingMs ?? 0, INTENT_MS);
    });

    it("pins every identity of a write, and finds the pin by any one of them", async () => {
      const store = open();
      const [login, browser, stranger] = [newPid(), newPid(), newPid()];
      await store.begin([login, browser], "a.1", INTENT_MS);
      assertAbout(await store.remaining([login]), INTENT_MS);
      assertAbout(await store.remaining([stranger, browser]), INTENT_MS);
      assert.equal(await store.remaining([stranger]), 0);
    });

    it("keeps a user pinned by one write when another has ended", async () => {
      const store = open();
      const pid = newPid();
      await Promise.all([store.begin([pid], "a.1", INTENT_MS), store.begin([pid], "b.1", INTENT_MS)]);
      await store.end([pid], "a.1", WINDOW_MS);
      assertAbout(await store.remaining([pid]), INTENT_MS);
    });

    it("removes only its own write when it turns out not to have written", async () => {
      const store = open();
      const pid = newPid();
      await store.begin([pid], "a.1", INTENT_MS);
      await store.begin([pid], "b.1", WINDOW_MS);
      await store.end([pid], "a.1", 0);
      assertAbout(await store.remaining([pid]), WINDOW_MS);
      await store.end([pid], "b.1", 0);
      assert.equal(await store.remaining([pid]), 0);
      assert.equal(await store.inspect(pid), null);
    });

    it("pins at the end of a write whose beginning was lost", async () => {
      const store = open();
      const pid = newPid();
      await store.end([pid], "a.1", WINDOW_MS);
      assertAbout(await store.remaining([pid]), WINDOW_MS);
    });

    it("does nothing at the end of a write that was neither begun nor made", async () => {
      const store = open();
      const pid = newPid();
      await store.end([pid], "a.1", 0);
      assert.equal(await store.inspect(pid), null);
    });

    it("only extends a pin when a beginning comes after its end", async () => {
      const store = open();
      const pid = newPid();
      await store.end([pid], "a.1", INTENT_MS);
      await store.begin([pid], "a.1", WINDOW_MS);
      assertAbout(await store.remaining([pid]), INTENT_MS);
    });

    it("never shortens a pin by a renewal that arrives late", async () => {
      const store = open();
      const pid = newPid();
      await store.begin([pid], "a.1", INTENT_MS);
      await store.begin([pid], "a.1", WINDOW_MS);
      assertAbout(await store.remaining([pid]), INTENT_MS);
    });

    it("takes every command twice without harm", async () => {
      const store = open();
      const pid = newPid();
      await store.begin([pid], "a.1", INTENT_MS);
      await store.begin([pid], "a.1", INTENT_MS);
      assert.equal((await store.inspect(pid))?.writes, 1);
      await store.end([pid], "a.1", WINDOW_MS);
      await store.end([pid], "a.1", WINDOW_MS);
      assertAbout(await store.remaining([pid]), WINDOW_MS);
      await store.end([pid], "a.1", 0);
      await store.end([pid], "a.1", 0);
      assert.equal(await store.remaining([pid]), 0);
    });

    it("lets a pin go when its time is over, and forgets the user", async () => {
      const store = open();
      const pid = newPid();
      await store.begin([pid], "a.1", 60);
      assert.ok((await store.remaining([pid])) > 0);
      await eventually(async () => (await store.remaining([pid])) === 0);
      assert.equal(await store.inspect(pid), null);
    });

    it("forgets an old write while a newer one goes on", async () => {
      const store = open();
      const pid = newPid();
      await store.begin([pid], "a.1", 60);
      await store.begin([pid], "a.2", INTENT_MS);
      await eventually(async () => (await store.inspect(pid))?.writes === 1);
      assertAbout(await store.remaining([pid]), INTENT_MS - 60);
    });

    it("drops all pins of a user when an operator says so", async () => {
      const store = open();
      const [pid, other] = [newPid(), newPid()];
      await store.begin([pid, other], "a.1", INTENT_MS);
      await store.begin([pid], "a.2", INTENT_MS);
      assert.equal(await store.release(pid), true);
      assert.equal(await store.remaining([pid]), 0);
      assertAbout(await store.remaining([other]), INTENT_MS);
    });

    it("keeps the last of many writes that one user makes at once", async () => {
      const store = open();
      const pid = newPid();
      const ids = Array.from({ length: 50 }, (_, index) => `a.${index}`);
      await Promise.all(ids.map((id) => store.begin([pid], id, INTENT_MS)));
      await Promise.all(ids.slice(1).map((id) => store.end([pid], id, 0)));
      assertAbout(await store.remaining([pid]), INTENT_MS);
      assert.equal((await store.inspect(pid))?.writes, 1);
    });

    it("says of a pin where its writes stand, and only while all of them are known to stand somewhere", async () => {
      const [store, pid] = [open(), newPid()];
      assert.equal(await store.held([pid]), null);
      await store.begin([pid], "a.1", INTENT_MS);
      assert.deepEqual((await store.held([pid]))?.hold, BY_WRITER);
      await store.end([pid], "a.1", WINDOW_MS, at(1, 10));
      const held = await store.held([pid]);
      assert.deepEqual(held?.hold, { positions: [at(1, 10)], open: false, regions: [] });
      assertAbout(held.remainingMs, WINDOW_MS);
      assertAbout(await store.remaining([pid]), WINDOW_MS);
      await store.begin([pid], "b.1", INTENT_MS);
      assert.deepEqual((await store.held([pid]))?.hold, { positions: [at(1, 10)], open: true, regions: [] });
      await store.end([pid], "b.1", WINDOW_MS);
      assert.equal((await store.held([pid]))?.hold.open, true, "nobody said where it stands");
    });

    it("keeps the newest position of each epoch, in whatever order they come", async () => {
      const [store, pid] = [open(), newPid()];
      for (const position of [at(2, 3), at(1, 99), at(2, 17), at(2, 16), at(1, 98)])
        await store.end([pid], "a.1", WINDOW_MS, position);
      assert.deepEqual((await store.held([pid]))?.hold.positions, [at(1, 99), at(2, 17)]);
    });

    it("only ever extends what positioned writes hold, also when an END comes late or twice", async () => {
      const [store, pid] = [open(), newPid()];
      await store.end([pid], "a.2", INTENT_MS, at(1, 20));
      await store.end([pid], "a.1", WINDOW_MS, at(1, 10));
      await store.end([pid], "a.1", WINDOW_MS, at(1, 10));
      assertAbout(await store.remaining([pid]), INTENT_MS);
      assert.deepEqual((await store.held([pid]))?.hold.positions, [at(1, 20)]);
      await store.end([pid], "a.1", 0, at(1, 30));
      assert.deepEqual((await store.held([pid]))?.hold.positions, [at(1, 20)]);
    });

    it("forgets positions with the pin, and drops them when it is released", async () => {
      const [store, pid] = [open(), newPid()];
      await store.end([pid], "a.1", 50, at(1, 10));
      await eventually(async () => (await store.held([pid])) === null);
      await store.end([pid], "a.2", WINDOW_MS, at(1, 5));
      assert.deepEqual((await store.held([pid]))?.hold.positions, [at(1, 5)]);
      await store.release(pid);
      assert.equal(await store.held([pid]), null);
      await store.begin([pid], "a.3", INTENT_MS);
      assert.deepEqual((await store.held([pid]))?.hold, BY_WRITER);
    });

    it("says in which regions a user wrote, that of the write that ends last first", async () => {
      const [store, pid] = [open(), newPid()];
      await store.begin([pid], "a.1@eu-west", WINDOW_MS);
      await store.begin([pid], "a.2@ap.south", INTENT_MS);
      await store.begin([pid], "b.1@eu-west", WINDOW_MS - 2_000);
      assert.deepEqual((await store.held([pid]))?.hold, {
        positions: [],
        open: true,
        regions: ["ap.south", "eu-west"],
      });
    });

    it("joins what holds a user under several names", async () => {
      const [store, session, login] = [open(), newPid(), newPid()];
      await store.end([session], "a.1", WINDOW_MS, at(1, 10));
      await store.end([login], "a.2", INTENT_MS, at(1, 12));
      const held = await store.held([session, newPid(), login]);
      assert.deepEqual(held?.hold, { positions: [at(1, 12)], open: false, regions: [] });
      assertAbout(held.remainingMs, INTENT_MS);
    });

    it("keeps a bounded number of writes for a user who never stops, and pins no shorter for it", async () => {
      const [store, pid] = [open(), newPid()];
      const total = MAX_WRITES_PER_USER * 5;
      for (let i = 1; i <= total; i += 1) await store.begin([pid], `a.${i}@eu`, INTENT_MS);
      const most = (await store.inspect(pid))?.writes ?? 0;
      assert.ok(most <= MAX_WRITES_PER_USER + 1, `${most}`);
      for (let i = 1; i <= total; i += 1) await store.end([pid], `a.${i}@eu`, 0);
      assertAbout(await store.remaining([pid]), INTENT_MS);
      assert.deepEqual((await store.held([pid]))?.hold.regions, ["eu"]);
    });

    it("agrees with its model after any sequence of steps", async () => {
      const store = open();
      const check = async (steps: readonly Step[]) => {
        const pids = [newPid(), newPid(), newPid()];
        const model = new Model();
        for (const step of steps) {
          await run(store, pids, step);
          model.apply(step);
        }
        assertAbout(await store.remaining(pids), model.remainingMs([0, 1, 2]));
        for (const [index, pid] of pids.entries()) {
          assertAbout(await store.remaining([pid]), model.remainingMs([index]));
          assert.equal((await store.inspect(pid))?.writes ?? 0, model.writes(index));
        }
      };
      await fc.assert(fc.asyncProperty(fc.array(someStep, { maxLength: 25 }), check), { numRuns: 60 });
    });
  });
}

contract("memory", () => new MemoryPinStore(systemClock));

describe("over a real redis-server", () => {
  let server: RedisServer;
  let client: RedisClient;

  before(async () => {
    server = await startRedis();
    client = connectRedis(server.url, "contract");
    await eventually(() => client.status === "ready");
  });

  after(async () => {
    client.disconnect();
    await server.stop();
  });

  contract("Redis", () => new RedisPinStore(client, "meridian"));
});
