import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import {
  begun,
  carriedOn,
  givenUp,
  handedToHook,
  heardFromAll,
  LEASE_MS,
  lapsed,
  letGo,
  SETTLED_AFTER_MS,
  takenOver,
} from "../../src/fleet/move.ts";
import { SharedAway } from "../../src/fleet/shared-hash.ts";
import { firstTopology, heldDown, modeOf, type Topology } from "../../src/fleet/topology.ts";
import { eventually } from "../support/eventually.ts";
import { type FleetMember, fleetMember, loneMember, moveBy } from "../support/fleet.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const FIRST = firstTopology("us-east");
const at = (position: number) => position.toString(16).padStart(16, "0");
const TO_EU = { from: 1, to: 2, writer: "eu-west", at: at(40) };

/** What everybody agrees on. */
function agreed({ topology }: FleetMember) {
  const { epoch, writer, promotions, ...rest } = topology.get();
  return { epoch, writer, mode: modeOf({ epoch, writer, promotions, ...rest }), promotions };
}

const BEGINNING = { epoch: 1, writer: "us-east", mode: "rw", promotions: [] };
const SECOND = { epoch: 2, writer: "eu-west", mode: "rw", promotions: [{ epoch: 2, at: at(40) }] };

const begin = (member: FleetMember, epoch = 1) =>
  member.topology.change(begun(moveBy(member.hash.selfKey), epoch));

function contract(name: string, open: () => Promise<FleetMember>): void {
  describe(`the ${name} topology`, () => {
    it("begins as the file has it", async () => {
      assert.deepEqual(agreed(await open()), BEGINNING);
    });

    it("is promoted from the epoch that was meant, once", async () => {
      const member = await open();
      assert.equal(await member.topology.promote(TO_EU), true);
      assert.deepEqual(agreed(member), SECOND);
      assert.equal(await member.topology.promote({ ...TO_EU, writer: "ap-south" }), false);
      assert.deepEqual(agreed(member), SECOND);
    });

    it("is moved by one at a time, from the epoch that is meant, and takes no writes meanwhile", async () => {
      const member = await open();
      assert.equal(await begin(member, 2), false);
      assert.deepEqual([await begin(member), await begin(member)], [true, false]);
      assert.equal(agreed(member).mode, "ro");
      await member.topology.change(givenUp("a-move", member.hash.selfKey));
      assert.deepEqual(agreed(member), BEGINNING);
    });

    it("ends a move with the promotion that it leads to", async () => {
      const member = await open();
      await begin(member);
      await member.topology.promote(TO_EU);
      assert.deepEqual(agreed(member), SECOND);
    });

    it("gives no epoch to two moves, whatever becomes of the first", async () => {
      const member = await open();
      const self = member.hash.selfKey;
      const epochs: (number | null | undefined)[] = [];
      for (let n = 0; n < 2; n += 1) {
        await begin(member);
        // Twice, as when the first answer is lost.
        await member.topology.change(handedToHook("a-move", self, "hook", at(7)));
        await member.topology.change(handedToHook("a-move", self, "hook", at(7)));
        epochs.push(member.topology.get().move?.epoch);
        await member.topology.change(givenUp("a-move", self));
      }
      assert.deepEqual([epochs, member.topology.get().epoch], [[2, 3], 1]);
    });

    it("knows where the last few epochs began, and not where one began that it only heard of", async () => {
      const { topology } = await open();
      for (let epoch = 1; epoch <= 10; epoch += 1)
        await topology.promote({ from: epoch, to: epoch + 1, writer: "eu-west", at: at(epoch) });
      assert.deepEqual(
        topology.get().promotions.map(({ epoch }) => epoch),
        [4, 5, 6, 7, 8, 9, 10, 11],
      );
      await topology.promote({ from: 11, to: 20, writer: "eu-west", at: null });
      assert.deepEqual([topology.get().epoch, topology.get().promotions.at(-1)?.epoch], [20, 11]);
    });

    it("tells of every change, and of nothing else", async () => {
      const member = await open();
      const heard: string[] = [];
      member.topology.onChange(({ epoch, move }) => heard.push(`${epoch} ${move?.step ?? "rw"}`));
      await member.topology.refresh();
      await begin(member);
      await member.topology.refresh();
      await member.topology.promote(TO_EU);
      assert.deepEqual(heard, ["1 hold", "2 rw"]);
    });
  });
}

contract("memory", async () => loneMember());

describe("the topology of a lone edge", () => {
  it("follows a file that says something new, and no file that repeats itself after a move", async () => {
    const { topology } = loneMember();
    topology.fileSays("eu-west");
    await eventually(() => topology.get().writer === "eu-west");
    await topology.promote({ ...TO_EU, writer: "ap-south" });
    topology.fileSays("eu-west");
    await topology.refresh();
    assert.equal(topology.get().writer, "ap-south");
  });
});

describe("a change of the topology", () => {
  const nowMs = 1_000_000;
  const held = (change = {}): Topology => ({
    ...FIRST,
    move: moveBy("one", { leaseUntilMs: nowMs + LEASE_MS, ...change }),
  });
  const over = { leaseUntilMs: nowMs - 1 };
  const rows: [string, Topology | null, boolean][] = [
    ["carries on a move of its own", carriedOn("a-move", "one")(held(), nowMs), true],
    ["carries on no other's", carriedOn("a-move", "two")(held(), nowMs), false],
    ["carries on no move that has ended", carriedOn("b-move", "one")(held(), nowMs), false],
    [
      "takes over after the hook at the end of the lease",
      takenOver("a-move", "two")(held({ ...over, step: "hook" }), nowMs),
      true,
    ],
    ["takes nothing over before", takenOver("a-move", "two")(held({ step: "hook" }), nowMs), false],
    ["takes nothing over that may lapse", takenOver("a-move", "two")(held(over), nowMs), false],
    [
      "lets a move lapse before the hook at the end of the lease",
      lapsed("a-move")(held({ ...over, step: "catch-up" }), nowMs),
      true,
    ],
    ["lets no move lapse before", lapsed("a-move")(held(), nowMs), false],
    ["lets no move lapse after the hook", lapsed("a-move")(held({ ...over, step: "verify" }), nowMs), false],
    ["lets go only of its own", letGo("a-move", "two", "hook")(held({ step: "verify" }), nowMs), false],
    ["gives up only its own", givenUp("a-move", "two")(held(), nowMs), false],
    [
      "begins nothing in a memory that is young",
      begun(moveBy("one"), 1)({ ...FIRST, bornMs: nowMs - SETTLED_AFTER_MS + 1 }, nowMs),
      false,
    ],
    [
      "begins a move in one that is not",
      begun(moveBy("one"), 1)({ ...FIRST, bornMs: nowMs - SETTLED_AFTER_MS }, nowMs),
      true,
    ],
  ];
  for (const [name, next, done] of rows) it(name, () => assert.equal(next !== null, done));

  it("hears all edges again when the memory was lost after they had spoken", () => {
    const step = heardFromAll("a-move", "one", handedToHook("a-move", "one", "hook", null));
    const stepIn = (bornMs: number) => step({ ...held({ step: "catch-up" }), bornMs }, nowMs)?.move?.step;
    assert.equal(stepIn(nowMs - SETTLED_AFTER_MS), "hook");
    assert.equal(stepIn(nowMs - SETTLED_AFTER_MS + 1), "hold");
  });

  it("doubles the hold-down of failovers that follow each other, up to a limit, and forgets them", () => {
    const lengths: number[] = [];
    let topology: Topology = FIRST;
    let atMs = 0;
    for (let n = 0; n < 7; n += 1) {
      topology = heldDown(topology, 1_000, atMs);
      lengths.push(topology.holdDown?.lengthMs ?? 0);
      atMs = (topology.holdDown?.untilMs ?? 0) + 1;
    }
    assert.deepEqual(lengths, [1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 16_000]);
    assert.equal(heldDown(topology, 1_000, atMs + 20_000).holdDown?.lengthMs, 1_000);
  });
});

let server: RedisServer;
const open: FleetMember[] = [];

async function edge(first = FIRST, more: { readonly heldAloneMs?: number } = {}): Promise<FleetMember> {
  const member = await fleetMember(server.url, { first, ...more });
  open.push(member);
  return member;
}

/** One whose memory is old enough to be changed. */
async function settled(): Promise<FleetMember> {
  await server.command(`HSET meridian:topology rev 1 bornMs 0 epoch 1 writer us-east mode rw`);
  return edge();
}

async function closeAll(): Promise<void> {
  for (const member of open.splice(0)) await member.close();
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
afterEach(closeAll);

contract("Redis", settled);

describe("the topology of a fleet", () => {
  it("is followed by every edge, and found by one that starts later, whatever its file says", async () => {
    const [here, there] = [await edge(), await edge()];
    await here.topology.promote(TO_EU);
    await eventually(() => there.topology.get().epoch === 2);
    assert.deepEqual(there.topology.get(), here.topology.get());
    assert.deepEqual((await edge(firstTopology("ap-south"))).topology.get(), here.topology.get());
  });

  it("is the first file's that finds none, and believed when nobody has objected", async () => {
    const first = await edge();
    assert.equal(first.topology.get().rev, 0);
    assert.equal(await begin(first), false, "not yet");
    assert.equal((await edge(firstTopology("ap-south"))).topology.get().writer, "us-east");
    await eventually(() => first.topology.get().rev === 1);
    assert.equal(await begin(first), true);
  });

  it("is never lowered by a Redis that has lost its memory, nor by one that starts with it", async () => {
    const here = await edge();
    await here.topology.promote(TO_EU);
    await server.flush();
    const late = await edge(firstTopology("ap-south"));
    await here.topology.refresh();
    assert.equal(here.topology.get().epoch, 2);
    await eventually(() => late.topology.get().epoch === 2);
    assert.deepEqual(agreed(late), agreed(here));
  });

  it("keeps its writer when an edge with another file starts with a Redis that has lost its memory", async () => {
    const here = await settled();
    await server.flush();
    const late = await edge(firstTopology("ap-south"));
    await eventually(() => late.topology.get().writer === "us-east");
    assert.equal(here.topology.get().writer, "us-east");
  });

  it("has its move put back into a Redis that has lost its memory", async () => {
    const here = await settled();
    await begin(here);
    await here.topology.change(handedToHook("a-move", here.hash.selfKey, "hook", at(7)));
    await server.flush();
    const late = await edge();
    await eventually(() => late.topology.get().move?.step === "hook");
    assert.equal(late.topology.get().spent, 2);
    assert.equal(
      await here.topology.change(carriedOn("a-move", here.hash.selfKey, { step: "verify" })),
      true,
    );
  });

  it("is known as it was changed, though Redis answers nothing more", async () => {
    const here = await settled();
    const change = begin(here);
    await eventually(async () => (await server.command("HGET meridian:topology mode")).includes("ro"));
    server.pause();
    assert.equal(await change, true);
    assert.equal(agreed(here).mode, "ro");
    server.resume();
  });

  it("is moved by one of two who try at once", async () => {
    const [here, there] = [await edge(), await edge()];
    const done = await Promise.all([
      here.topology.promote(TO_EU),
      there.topology.promote({ ...TO_EU, writer: "ap-south" }),
    ]);
    assert.equal(done.filter(Boolean).length, 1);
    await Promise.all([here.topology.refresh(), there.topology.refresh()]);
    assert.deepEqual(here.topology.get(), there.topology.get());
  });

  it("is written for whoever looks at it", async () => {
    const here = await settled();
    await here.topology.promote(TO_EU);
    const stored = await server.command("HGETALL meridian:topology");
    for (const [field, text] of Object.entries({
      epoch: "2",
      writer: "eu-west",
      mode: "rw",
      promotedPosition: at(40),
    }))
      assert.match(stored, new RegExp(`\\r\\n${field}\\r\\n\\$\\d+\\r\\n${text}\\r\\n`));
  });

  it("is held no longer than a move could go on without this edge, though Redis is gone", async () => {
    await settled();
    const here = await edge(FIRST, { heldAloneMs: 500 });
    await begin(here);
    assert.equal(agreed(here).mode, "ro");
    await server.kill();
    await eventually(() => agreed(here).mode === "rw");
    await server.restart();
  });

  it("is held as long as it takes when the hook may have been called", async () => {
    await settled();
    const here = await edge(FIRST, { heldAloneMs: 100 });
    await begin(here);
    await here.topology.change(handedToHook("a-move", here.hash.selfKey, "hook", null));
    await server.kill();
    await eventually(() => here.hash.heardMsAgo() > 500);
    assert.equal(agreed(here).mode, "ro");
    await server.restart();
  });

  it("gets a writer where several were before, from the first file that names one", async () => {
    await edge(firstTopology(null));
    const named = await edge();
    await eventually(() => named.topology.get().writer === "us-east");
  });

  it("keeps the last that it knew while Redis is away, and changes nothing", async () => {
    const here = await edge();
    await here.topology.promote(TO_EU);
    await server.kill();
    assert.equal(await here.topology.refresh(), false);
    assert.equal(here.topology.get().epoch, 2);
    await assert.rejects(here.topology.promote({ ...TO_EU, from: 2, to: 3 }), SharedAway);
    await server.restart();
    await eventually(() => here.topology.refresh());
  });
});
