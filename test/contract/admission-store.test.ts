import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { AdmissionRecord, AdmissionStore } from "../../src/fleet/admissions.ts";
import { SharedAway } from "../../src/fleet/shared-hash.ts";
import { eventually } from "../support/eventually.ts";
import { type FleetMember, fleetMember } from "../support/fleet.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const DRAINING: AdmissionRecord = {
  state: "draining",
  reason: 'a "quoted" reason, ünïcode',
  by: "ops",
  sinceWallMs: 1_790_000_000_000,
  deadlineWallMs: null,
};

describe("the admissions of a fleet", () => {
  let server: RedisServer;
  const members: FleetMember[] = [];

  before(async () => {
    server = await startRedis();
  });

  after(async () => {
    await server.stop();
  });

  afterEach(async () => {
    for (const member of members.splice(0)) await member.close();
    await server.restart();
  });

  /** An edge's view, from before its connection stands. */
  async function edge(): Promise<AdmissionStore> {
    const member = await fleetMember(server.url);
    members.push(member);
    return member.admissions;
  }

  const statuses = () => members.map(({ client }) => client?.status);
  const reconnected = () => eventually(() => statuses().every((status) => status === "ready"));

  it("reach the edge that set them at once and every other soon, as they were said", async () => {
    const [here, there] = [await edge(), await edge()];
    const heard: number[] = [];
    there.onChange((admissions) => heard.push(admissions.size));
    await here.set("eu-west", DRAINING);
    assert.deepEqual(here.get().get("eu-west"), DRAINING);
    await eventually(() => there.get().has("eu-west"));
    assert.deepEqual(there.get().get("eu-west"), DRAINING);
    assert.deepEqual(heard, [1]);
  });

  it("are known to an edge that starts later, as soon as it has started", async () => {
    await (await edge()).set("eu-west", DRAINING);
    assert.deepEqual((await edge()).get().get("eu-west"), DRAINING);
  });

  it("are changed only after the word that the edge has heard, when it asks for that", async () => {
    const [here, there] = [await edge(), await edge()];
    assert.equal(await here.setAfter("eu-west", undefined, DRAINING), true);
    assert.equal(await there.setAfter("eu-west", undefined, { ...DRAINING, by: "another" }), false);
    assert.deepEqual(there.get().get("eu-west"), DRAINING);
    const window = { id: "eu-west|0 2 * * 0|now", endWallMs: 1_790_000_000_000 };
    const last = there.get().get("eu-west");
    assert.equal(await there.setAfter("eu-west", last, { ...DRAINING, window }), true);
    assert.equal(await here.setAfter("eu-west", here.get().get("eu-west"), DRAINING), false);
    assert.deepEqual(here.get().get("eu-west")?.window, window);
    assert.equal(await here.setAfter("eu-west", here.get().get("eu-west"), DRAINING), true);
  });

  it("are changed after a word that a newer edge has said, with more in it than this one knows", async () => {
    const json = JSON.stringify({ mood: "good", ...DRAINING, reason: "why" }, null, 1);
    await server.command(`HSET meridian:topology admission:eu-west ${JSON.stringify(json)}`);
    const here = await edge();
    assert.equal(await here.setAfter("eu-west", here.get().get("eu-west"), DRAINING), true);
  });

  it("hold while Redis is away, and a change is refused", async () => {
    const here = await edge();
    await here.set("eu-west", DRAINING);
    await server.kill();
    await eventually(() => statuses().every((status) => status !== "ready"));
    await assert.rejects(here.set("us-east", DRAINING), SharedAway);
    assert.deepEqual([...here.get().keys()], ["eu-west"]);
  });

  it("are refused within a second by a Redis that stands still", async () => {
    const here = await edge();
    server.pause();
    try {
      await assert.rejects(here.set("eu-west", DRAINING), /timeout/);
    } finally {
      server.resume();
    }
  });

  it("are put back by any edge into a Redis that has lost its memory", async () => {
    const here = await edge();
    await here.set("eu-west", DRAINING);
    let changes = 0;
    here.onChange(() => {
      changes += 1;
    });
    await server.restart();
    await reconnected();
    await eventually(async () =>
      (await server.command("HEXISTS meridian:topology admission:eu-west")).includes(":1"),
    );
    assert.equal(changes, 0);
    assert.deepEqual(here.get().get("eu-west"), DRAINING);
    assert.deepEqual((await edge()).get().get("eu-west"), DRAINING);
  });

  it("do not keep an edge from starting when Redis stands still", async () => {
    server.pause();
    const startedAtMs = performance.now();
    try {
      assert.equal((await edge()).get().size, 0);
    } finally {
      server.resume();
    }
    assert.ok(performance.now() - startedAtMs < 3_000);
  });

  it("are none when Redis is away from the start", async () => {
    await server.kill();
    assert.equal((await edge()).get().size, 0);
  });

  it("leave out what cannot be read, and what is not an admission", async () => {
    const here = await edge();
    await here.set("eu-west", DRAINING);
    for (const field of [
      "epoch 3",
      "admission:a junk",
      "admission:b {}",
      'admission:c "x"',
      "admission:d null",
    ])
      await server.command(`HSET meridian:topology ${field}`);
    assert.deepEqual([...(await edge()).get().keys()], ["eu-west"]);
  });
});
