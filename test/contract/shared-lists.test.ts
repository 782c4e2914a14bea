import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { SharedAway } from "../../src/fleet/shared-hash.ts";
import { eventually } from "../support/eventually.ts";
import { type FleetMember, fleetMember, loneMember } from "../support/fleet.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

function contract(name: string, open: () => Promise<FleetMember>): void {
  it(`of ${name} has the newest in front, and keeps as many as were asked for`, async () => {
    const { hash } = await open();
    assert.deepEqual(await hash.list("drills"), []);
    for (const text of ["one", "two", 'a "quoted" third, ünïcode']) await hash.push("drills", text, 2);
    assert.deepEqual(await hash.list("drills"), ['a "quoted" third, ünïcode', "two"]);
    assert.deepEqual(await hash.list("others"), []);
  });
}

describe("a list beside the shared hash", () => {
  let server: RedisServer;
  const members: FleetMember[] = [];
  const edge = async () => {
    const member = await fleetMember(server.url);
    members.push(member);
    return member;
  };

  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());
  afterEach(async () => {
    for (const member of members.splice(0)) await member.close();
  });

  contract("a lone edge", async () => loneMember());
  contract("a fleet", edge);

  it("of a fleet is the same for every edge, and says when it cannot be had", async () => {
    const [here, there] = [await edge(), await edge()];
    await here.hash.push("shared", "one", 5);
    assert.deepEqual(await there.hash.list("shared"), ["one"]);
    await server.kill();
    await eventually(() => here.client?.status !== "ready");
    await assert.rejects(here.hash.push("shared", "two", 5), SharedAway);
    await assert.rejects(here.hash.list("shared"), SharedAway);
    await server.restart();
  });
});
