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
