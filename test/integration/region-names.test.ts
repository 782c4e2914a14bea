import assert from "node:assert/strict";
import dns, { type LookupAddress } from "node:dns";
import { describe, mock, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../support/asked.ts";
import { eventually } from "../support/eventually.ts";
import { good, RawRegion } from "../support/raw-region.ts";
import { startRawWorld } from "../support/raw-world.ts";

/** What the resolver makes of a name: addresses, an error's code, or no answer at all. */
type Answer = readonly string[] | string | null;

/** What stands in for the system's resolver; other names than those that are told it leaves to that. */
const said = new Map<string, Answer>();
const asked = new Map<string, number>();
const system = dns.lookup;

type Callback = (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void;

mock.method(dns, "lookup", (hostname: string, options: object, callback: Callback) => {
  const answer = said.get(hostname);
  if (answer === undefined) return system(hostname, { ...options, all: true }, callback);
  asked.set(hostname, (asked.get(hostname) ?? 0) + 1);
  if (answer === null) return;
  if (typeof answer === "string")
    setImmediate(callback, Object.assign(new Error(answer), { code: answer }), []);
  else
    setImmediate(
      callback,
      null,
      answer.map((address) => ({ address, family: 4 })),
    );
});

const PROBES = { interval: "500ms", timeout: "400ms", rise: 1, fall: 2 };

/** A region that is found by name, at the first of two addresses that have a server each on the same port. */
async function named(t: TestContext, hostname: string, answer: Answer = ["127.0.0.1"]) {
  const before = await new RawRegion(good).start("127.0.0.1");
  const after = await new RawRegion(good).start("127.0.0.2", before.port);
  t.after(() => Promise.all([before.stop(), after.stop()]));
  said.set(hostname, answer);
  const mainUrl = `http://${hostname}:${before.port}`;
  const world = await startRawWorld(t, good, { mainUrl, health: PROBES });
  return { ...world, before, after };
}

/** Asks without a pause, so that connections are kept, until told to stop; answers what was seen. */
function steadily(httpUrl: string): () => Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  let going = true;
  const work = async (): Promise<void> => {
    while (going) {
      seen.add((await ask(httpUrl, "GET")).saw);
      await sleep(20);
    }
  };
  const working = [work(), work(), work()];
  return async () => {
    going = false;
    await Promise.all(working);
    return seen;
  };
}

describe("a region found by name", { concurrency: true }, () => {
  test("a name that has moved is followed by connections in use and by probes, without a failed request", async (t) => {
    const { edge, before, after } = await named(t, "moving.test");
    const stop = steadily(edge.httpUrl);
    await eventually(() => before.ledger.length > 20);
    said.set("moving.test", ["127.0.0.2"]);
    await eventually(() => after.ledger.length > 20 && after.probes > 0, { withinMs: 20_000 });
    const [requests, probes] = [before.ledger.length, before.probes];
    await eventually(() => after.ledger.length > 100 && after.probes > 2);
    assert.deepEqual(await stop(), new Set(["200 main"]));
    assert.deepEqual(
      [before.ledger.length, before.probes],
      [requests, probes],
      "nobody goes to the old address",
    );
    await eventually(() => before.sockets.size === 0);
  });

  test("an address that stays among others keeps its connections", async (t) => {
    const { edge, before } = await named(t, "growing.test");
    const stop = steadily(edge.httpUrl);
    await eventually(() => before.ledger.length > 20);
    const connections = new Set(before.sockets);
    said.set("growing.test", ["127.0.0.1", "127.0.0.2"]);
    await sleep(7_000);
    assert.ok(
      [...before.sockets].some((socket) => connections.has(socket)),
      "some are the same as before",
    );
    assert.deepEqual(await stop(), new Set(["200 main"]));
  });

  for (const [what, answer] of [
    ["knows the name no more", "ENOTFOUND"],
    ["fails", "EAI_AGAIN"],
    ["says nothing", null],
    ["has no address for it", []],
  ] as const) {
    test(`a resolver that ${what} takes no region away`, async (t) => {
      const hostname = `${what.replaceAll(" ", "-")}.test`;
      const { edge, before, ejected } = await named(t, hostname);
      assert.equal((await ask(edge.httpUrl, "POST")).saw, "200 main");
      said.set(hostname, answer);
      for (let round = 0; round < 3; round += 1) {
        for (const socket of before.sockets) socket.destroy();
        const seen = await Promise.all([ask(edge.httpUrl, "GET"), ask(edge.httpUrl, "POST")]);
        assert.deepEqual(
          seen.map(({ saw }) => saw),
          ["200 main", "200 main"],
        );
      }
      await sleep(1_500);
      assert.deepEqual([edge.table.view.byId.get("main")?.health, ejected], ["up", []]);
      assert.ok((asked.get(hostname) ?? 0) < 30, `it was asked ${asked.get(hostname)} times`);
    });
  }

  test("a region whose name is not known yet is down, and up when it is", async (t) => {
    const { edge } = await named(t, "unborn.test", "ENOTFOUND");
    assert.equal((await ask(edge.httpUrl, "GET")).saw, "200 other");
    const main = () => edge.table.status().find(({ id }) => id === "main");
    assert.equal(main()?.health, "down");
    assert.match(main()?.endpoints[0]?.lastProbe?.cause ?? "", /ENOTFOUND/);
    said.set("unborn.test", ["127.0.0.1"]);
    await eventually(async () => assert.equal((await ask(edge.httpUrl, "GET")).saw, "200 main"));
  });
});
