import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { begunDrill, type Drill, settledDrill } from "../../src/fleet/drill.ts";
import { DrillStore } from "../../src/fleet/drill-store.ts";
import { eventually } from "../support/eventually.ts";
import { type FleetMember, fleetMember } from "../support/fleet.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const DRILL: Drill = {
  ...{
    id: "d1",
    region: "eu",
    kind: "drain",
    who: "ops",
    reason: 'a "quoted" one',
    forced: false,
    by: "e:x",
  },
  ...{
    leaseUntilMs: 0,
    sinceMs: 0,
    untilMs: 0,
    abortAbove: { errorRatio: 0.01 },
    writeRegion: "us",
    epoch: 1,
  },
  ...{ window: null, end: null },
};
const window = (startMs: number) => ({
  line: "eu|0 10 * * 3|UTC",
  id: `eu|0 10 * * 3|${new Date(startMs).toISOString()}`,
});

describe("what edges share of drills", () => {
  let server: RedisServer;
  const members: FleetMember[] = [];

  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());
  afterEach(async () => {
    for (const member of members.splice(0)) await member.close();
    await server.flush();
  });

  async function edge(): Promise<DrillStore> {
    const member = await fleetMember(server.url);
    members.push(member);
    return new DrillStore(member.hash);
  }

  it("is changed by one of those that try at once", async () => {
    const stores = [await edge(), await edge(), await edge()];
    const begun = await Promise.all(
      stores.map((store, index) => store.change(begunDrill({ ...DRILL, id: `d${index}` }, 60_000, null))),
    );
    assert.equal(begun.filter(Boolean).length, 1);
    const id = `d${begun.indexOf(true)}`;
    for (const store of stores) await eventually(() => store.get().drill?.id === id);
    assert.equal(stores[0]?.get().drill?.reason, DRILL.reason);
    assert.ok((stores[1]?.get().drill?.untilMs ?? 0) > Date.now());
  });

  it("has each window begun once, also when the memory has forgotten, as long as one edge has not", async () => {
    const [here, there] = [await edge(), await edge()];
    const now = window(Date.now());
    assert.equal(await here.change(begunDrill(DRILL, 60_000, now)), true);
    await here.change(settledDrill("d1", "e:x"));
    await eventually(() => there.get().windows[now.line] === now.id);
    await server.flush();
    await eventually(() => members.every(({ hash }) => !hash.get().has("drill")));
    assert.equal(await there.change(begunDrill(DRILL, 60_000, now)), false);
    assert.equal(await there.change(begunDrill(DRILL, 60_000, null)), true);
    const late = await edge();
    assert.equal(late.get().windows[now.line], now.id, "it is told again with the next change");
  });

  it("forgets windows of long ago", async () => {
    const here = await edge();
    const old = window(Date.now() - 3 * 86_400_000);
    await here.change(begunDrill(DRILL, 60_000, old));
    assert.equal(here.get().drill?.window, old.id);
    assert.deepEqual(here.get().windows, {});
  });

  it("is nothing where another version has written what is not ours, and can be changed", async () => {
    for (const text of ["{", "null", "7", '{"drill":{"id":1}}', '{"drill":[],"windows":"none"}']) {
      await server.command(`HSET meridian:topology drill ${JSON.stringify(text)}`);
      const here = await edge();
      assert.deepEqual(here.get(), { drill: null, windows: {} }, text);
      assert.equal(await here.change(begunDrill(DRILL, 60_000, null)), true, text);
      await server.flush();
    }
  });
});
