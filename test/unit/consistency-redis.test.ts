import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RedisPinStore } from "../../src/consistency/redis.ts";
import type { RedisClient } from "../../src/redis.ts";

/** A store over a Redis that answers PTTL with these, one for each user. */
function storeOver(replies: readonly unknown[]): RedisPinStore {
  const left = [...replies];
  const client = { defineCommand: () => {}, pttl: async () => left.shift() };
  return new RedisPinStore(client as unknown as RedisClient, "meridian");
}

/** A store over a Redis whose script answers this. */
function storeOverScript(answer: unknown): RedisPinStore {
  const client = { defineCommand: () => {}, meridianRemaining: async () => answer };
  return new RedisPinStore(client as unknown as RedisClient, "meridian");
}

describe("the time that a pin in Redis has left", () => {
  const rows: readonly [sentence: string, replies: readonly unknown[], leftMs: number][] = [
    ["is none without a key", [-2], 0],
    ["is that of its key", [1_500], 1_500],
    ["is the longest of all identities", [-2, 700, 20], 700],
    ["has no end when its key has no expiry", [-1], Number.POSITIVE_INFINITY],
    ["has no end when one identity's has none", [-2, -1, 700], Number.POSITIVE_INFINITY],
  ];
  for (const [sentence, replies, leftMs] of rows)
    it(sentence, async () => {
      assert.equal(await storeOver(replies).remaining(replies.map(String)), leftMs);
    });

  for (const reply of [Number.NaN, 1.5, -3, Number.POSITIVE_INFINITY, "1500", "", null, undefined, [], {}])
    it(`is not known from ${String(JSON.stringify(reply))}, whatever the other identities say`, async () => {
      await assert.rejects(storeOver([700, reply]).remaining(["u", "v"]), TypeError);
    });
});

describe("an answer to many look-ups", () => {
  it("says of each user how long, and which memory says so", async () => {
    const found = await storeOverScript([-2, 1_500, -1, "0 run"]).remainingUnder("born", ["u", "v", "w"]);
    assert.deepEqual(found, { left: [0, 1_500, Number.POSITIVE_INFINITY], mark: "0 run" });
  });

  const broken = [
    [],
    [700, "0 run"],
    [700, 20, 20, "0 run"],
    [700, "20", "0 run"],
    [700, null, "0 run"],
    "OK",
  ];
  for (const answer of broken)
    it(`is none when it is ${JSON.stringify(answer)}`, async () => {
      await assert.rejects(storeOverScript(answer).remainingUnder("born", ["u", "v"]), TypeError);
    });
});
