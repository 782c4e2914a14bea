import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, request } from "undici";
import { stringify } from "yaml";
import { Link } from "../../scripts/chaos/link.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Edge } from "../../src/edge.ts";
import { startEdge } from "../../src/edge.ts";
import { begun, givenUp } from "../../src/fleet/move.ts";
import { createLogger } from "../../src/observe/log.ts";
import { eventually } from "../support/eventually.ts";
import { moveBy } from "../support/fleet.ts";
import { startRedis } from "../support/redis.ts";
import { ScriptedRegion } from "../support/scripted.ts";

/** A region whose role, epoch and position a test sets; it writes only in the epoch that it is told. */
class Region {
  writer: boolean;
  epoch = 1;
  position = 16;
  writes = 0;
  /** A read that was asked and is not answered, while reads are held. */
  heldRead: IncomingMessage | null = null;
  holdsReads = false;
  readonly scripted: ScriptedRegion;

  constructor(writer: boolean) {
    this.writer = writer;
    this.scripted = new ScriptedRegion((req, res) => {
      if (req.method === "GET" && this.holdsReads) this.heldRead = req;
      else if (req.method === "GET") res.end("read");
      if (req.method === "GET") return;
      let text = "";
      req.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      req.once("end", () => this.#write(req, res, text));
    });
    this.scripted.health = () => ({ writer: this.writer, epoch: this.epoch, applied: this.at, lagMs: 0 });
  }

  #write(req: IncomingMessage, res: ServerResponse, text: string): void {
    const told = Number(req.headers["x-meridian-write-epoch"]);
    if (!this.writer || told !== this.epoch) return void res.writeHead(421).end();
    this.writes += 1;
    this.position += 1;
    const position = `${this.epoch}:${this.at}`;
    res.writeHead(200, { "x-meridian-position": position }).end(`written ${text}`);
  }

  get at(): string {
    return this.position.toString(16).padStart(16, "0");
  }
}

interface Stage {
  readonly us: Region;
  readonly eu: Region;
  readonly here: Edge;
  readonly there: Edge;
  /** The way of `there` to Redis. */
  readonly link: Link;
  start(id: string): Promise<Edge>;
}

async function stage(
  t: TestContext,
  { probesEvery = "200ms", preferred = "us", holdWrites = "10s" } = {},
): Promise<Stage> {
  const [us, eu] = [new Region(true), new Region(false)];
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  // A memory that is old enough to be believed.
  await redis.command("HSET meridian:topology rev 1 bornMs 0 epoch 1 writer us mode rw");
  for (const { scripted } of [us, eu]) {
    await scripted.start();
    t.after(() => scripted.stop());
  }
  const link = await Link.to(redis.port, 0);
  t.after(() => link.close());
  const usRegion = { role: "writer", endpoints: [us.scripted.url] };
  const euRegion = { role: "replica", endpoints: [eu.scripted.url] };
  const start = async (id: string, redisPort: number) => {
    const loaded = parseConfig(
      stringify({
        edge: { id },
        listen: { http: { host: "127.0.0.1", port: 0 } },
        admin: { port: 0 },
        secrets: ["a-secret-that-only-tests-use"],
        redis: { url: `redis://127.0.0.1:${redisPort}` },
        regions: preferred === "us" ? { us: usRegion, eu: euRegion } : { eu: euRegion, us: usRegion },
        routing: { policy: "priority", slowStart: "0ms" },
        health: { interval: probesEvery, timeout: "150ms" },
        failover: { holdWrites },
        consistency: { graceWindow: "20s" },
        proxy: { responseTimeout: "3s" },
      }),
      {},
    );
    assert.ok(loaded.ok);
    const edge = await startEdge({
      config: loaded.config,
      log: createLogger({ level: "silent", edge: id }),
    });
    t.after(() => edge.stop(0));
    return edge;
  };
  return {
    us,
    eu,
    here: await start("here", redis.port),
    there: await start("there", link.ownPort),
    link,
    start: (id) => start(id, redis.port),
  };
}

const ALICE = { authorization: "Bearer alice" };

async function ask(edge: Edge, method: Dispatcher.HttpMethod, headers: Record<string, string> = ALICE) {
  const answer = await request(`${edge.httpUrl}/thing`, { method, headers });
  const text = await answer.body.text();
  const fault = text.startsWith("{") ? (JSON.parse(text) as { fault: string }).fault : null;
  const one = (name: string) => answer.headers[`x-meridian-${name}`]?.toString() ?? "";
  const said = [fault ?? one("region"), one("reason"), one("consistency")].filter((word) => word !== "");
  return { said: said.join(" "), token: one("token") };
}

async function move(edge: Edge, body: object, query = "") {
  const answer = await request(`${edge.adminUrl}/v1/write-region${query}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ region: "eu", reason: "a test", ...body }),
  });
  return { status: answer.statusCode, json: (await answer.body.json()) as Record<string, never> };
}

/** What an operator does with the database. */
function promoteDatabase({ us, eu }: Stage, position = us.position): void {
  us.writer = false;
  eu.writer = true;
  eu.position = position;
  for (const region of [us, eu]) region.epoch = 2;
}

const isEpoch = (edge: Edge, epoch: number) => eventually(() => edge.table.view.epoch === epoch);

/** They mostly wait. */
describe("the write region", { concurrency: 3 }, () => {
  test("the write region is moved for every edge, and for one that starts later", async (t) => {
    const on = await stage(t);
    assert.equal((await ask(on.here, "PUT")).said, "us write");
    const dry = await move(on.here, {}, "?dryRun=true");
    assert.deepEqual([dry.status, dry.json.dryRun, on.here.table.view.epoch], [200, true, 1]);
    promoteDatabase(on);
    const { status, json } = await move(on.here, {});
    assert.deepEqual(
      [status, json.after, json.promotedPosition],
      [200, { writeRegion: "eu", epoch: 2 }, on.eu.at],
    );
    assert.ok(Number(json.heldMs) > 0);
    await isEpoch(on.there, 2);
    for (const edge of [on.here, on.there, await on.start("late")])
      assert.equal((await ask(edge, "PUT")).said, "eu write");
    assert.equal(on.eu.writes, 3);
    assert.equal((await ask(on.there, "GET")).said, "eu pin");
  });

  test("writes wait while it is moved, and are made once, in the new one; reads go on", async (t) => {
    const on = await stage(t);
    const moving = move(on.here, {});
    await eventually(() => on.here.table.view.moving && on.there.table.view.moving);
    const writes = [on.here, on.there].flatMap((edge) =>
      ["PUT", "POST"].map((method) => ask(edge, method as "PUT")),
    );
    assert.equal((await ask(on.there, "GET", {})).said, "us priority");
    promoteDatabase(on);
    assert.equal((await moving).status, 200);
    for (const { said } of await Promise.all(writes)) assert.equal(said, "eu write");
    assert.deepEqual([on.us.writes, on.eu.writes], [0, 4]);
  });

  test("a write that waits goes on in the old one when the move is given up", async (t) => {
    const on = await stage(t);
    await eventually(() => on.here.topology.change(begun(moveBy("a-test"), 1)));
    await eventually(() => on.there.table.view.moving);
    const written = ask(on.there, "PUT");
    await on.here.topology.change(givenUp("a-move", "a-test"));
    assert.equal((await written).said, "us write");
  });

  test("a pinned read waits for its end when the old write region is none any more and the new one is not yet", async (t) => {
    const on = await stage(t);
    await ask(on.here, "PUT");
    const moving = move(on.here, {});
    await eventually(() => on.there.table.view.moving);
    on.us.writer = false;
    await eventually(() => on.there.table.view.byId.get("us")?.writer === false);
    const asking = ask(on.there, "GET");
    assert.equal((await ask(on.there, "GET", {})).said, "us priority");
    promoteDatabase(on);
    assert.equal((await moving).status, 200);
    assert.match((await asking).said, /^(us|eu) /);
  });

  test("what held a user when he came holds him, and says what he lost, though it ends while he waits", async (t) => {
    const on = await stage(t);
    await ask(on.here, "PUT");
    const written = on.us.position;
    const moving = move(on.here, { force: true });
    await eventually(() => on.there.table.view.moving);
    on.us.writer = false;
    await eventually(() => on.there.table.view.byId.get("us")?.writer === false);
    const asking = ask(on.there, "GET");
    await sleep(100);
    const release = async (edge: Edge) => {
      const answer = await request(`${edge.adminUrl}/v1/pins/release`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ kind: "header:authorization", value: ALICE.authorization, reason: "a test" }),
      });
      await answer.body.dump();
      assert.equal(answer.statusCode, 200);
    };
    for (const edge of [on.here, on.there]) await eventually(() => release(edge));
    promoteDatabase(on, written - 1);
    on.us.position = 0;
    assert.equal((await moving).status, 200);
    assert.equal((await asking).said, "eu pin lost");
  });

  test("a read is not called fresh by a pin that was asked for when it may have ended", async (t) => {
    const on = await stage(t);
    on.us.holdsReads = true;
    const asking = ask(on.there, "GET");
    await eventually(() => on.us.heldRead !== null);
    await sleep(700);
    on.us.heldRead?.destroy();
    assert.equal((await asking).said, "eu retry degraded");
  });

  test("an edge that would refuse, because the write region says that it is none, asks for news first", async (t) => {
    const on = await stage(t);
    on.link.stall();
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    await eventually(() => on.there.table.view.byId.get("us")?.writer === false);
    const writing = ask(on.there, "PUT");
    await sleep(50);
    on.link.mend();
    assert.equal((await writing).said, "eu write");
  });

  test("without patience for it writes are refused while it is moved, and reads go on", async (t) => {
    const on = await stage(t, { holdWrites: "0ms" });
    promoteDatabase(on);
    const moving = move(on.here, {});
    await eventually(() => on.here.table.view.moving && on.there.table.view.moving);
    assert.equal((await ask(on.there, "PUT")).said, "writer_moving");
    assert.equal((await ask(on.there, "GET", {})).said, "us priority");
    assert.equal((await moving).status, 200);
    await isEpoch(on.there, 2);
    assert.equal((await ask(on.there, "PUT")).said, "eu write");
  });

  test("an edge that has not heard of it learns by the 421, and the write is made once, in the new region", async (t) => {
    const on = await stage(t);
    // Nobody's probe tells them: as fast as a write comes after a promotion.
    on.us.scripted.health = () => ({ lagMs: 0 });
    on.eu.scripted.health = () => ({ lagMs: 0 });
    await eventually(() => on.there.table.view.regions.every(({ writer }) => writer === null));
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    const pinned: string[] = [];
    on.there.events.on("pinned", ({ action }) => pinned.push(action));
    assert.equal((await ask(on.there, "DELETE")).said, "eu retry");
    assert.deepEqual([on.us.writes, on.eu.writes, on.there.table.view.epoch], [0, 1, 2]);
    await eventually(() => pinned.includes("end"));
    assert.deepEqual(pinned, ["begin", "end"], "one pin, held all the time");
  });

  test("a write whose body was sent is made again after the 421, if the body is small enough to be kept", async (t) => {
    const on = await stage(t);
    for (const { scripted } of [on.us, on.eu]) scripted.health = () => ({ lagMs: 0 });
    await eventually(() => on.there.table.view.regions.every(({ writer }) => writer === null));
    on.link.stall();
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    const put = async (bytes: number) => {
      const body = "m".repeat(bytes);
      const answer = await request(`${on.there.httpUrl}/thing`, { method: "PUT", headers: ALICE, body });
      return `${answer.statusCode} ${(await answer.body.text()).length}`;
    };
    const [small, large] = [put(1_000), put(100_000)];
    await sleep(100);
    on.link.mend();
    assert.equal(await small, `200 ${"written ".length + 1_000}`);
    assert.match(await large, /^503 /);
    assert.deepEqual([on.us.writes, on.eu.writes], [0, 1]);
  });

  test("a user whose pin tells of a newer epoch is waited for the news of it, without a token", async (t) => {
    const on = await stage(t, { preferred: "eu" });
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    assert.equal((await ask(on.here, "PUT")).said, "eu write");
    assert.equal((await ask(on.there, "GET")).said, "eu pin");
  });

  test("a client that has written in a newer epoch is waited for the news of it", async (t) => {
    const on = await stage(t);
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    const { token, said } = await ask(on.here, "PUT");
    assert.equal(said, "eu write");
    assert.equal((await ask(on.there, "GET", { ...ALICE, "x-meridian-token": token })).said, "eu pin");
  });

  test("a read that its region did not answer before the move is made again where writes go by now", async (t) => {
    const on = await stage(t);
    await ask(on.there, "PUT");
    on.us.holdsReads = true;
    const asking = ask(on.there, "GET");
    await eventually(() => on.us.heldRead !== null);
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    await isEpoch(on.there, 2);
    on.us.heldRead?.destroy();
    assert.equal((await asking).said, "eu retry");
  });

  test("an edge that is cut off refuses rather than ask a region that says it is the writer no longer", async (t) => {
    const on = await stage(t);
    await ask(on.here, "PUT");
    on.link.cut();
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    await eventually(async () => (await ask(on.there, "PUT")).said === "writer_down");
    assert.equal((await ask(on.there, "GET")).said, "writer_down");
    assert.equal((await ask(on.here, "PUT")).said, "eu write");
    on.link.mend();
    await isEpoch(on.there, 2);
    await eventually(async () => /^eu pin/.test((await ask(on.there, "GET")).said));
  });

  test("an edge that is cut off does not read for a client that has written in an epoch it has not heard of", async (t) => {
    const on = await stage(t);
    // The application says nothing of epochs and writers in its probes, so that only the token tells.
    for (const { scripted } of [on.us, on.eu]) scripted.health = () => ({ lagMs: 0 });
    await eventually(() =>
      on.there.table.view.regions.every(({ writer, applied }) => (writer ?? applied) === null),
    );
    on.link.cut();
    promoteDatabase(on);
    await on.here.topology.promote({ from: 1, to: 2, writer: "eu", at: on.eu.at });
    const { token } = await ask(on.here, "PUT");
    const behind = { ...ALICE, "x-meridian-token": token };
    assert.equal((await ask(on.there, "GET", behind)).said, "writer_down");
    assert.equal((await ask(on.there, "PUT", behind)).said, "writer_down");
    assert.equal((await ask(on.there, "GET", {})).said, "us priority");
    on.link.mend();
    await isEpoch(on.there, 2);
    assert.equal((await ask(on.there, "GET", behind)).said, "eu pin");
  });

  test("what a promotion left behind is said to be lost, at the new writer and at home", async (t) => {
    const on = await stage(t);
    await ask(on.here, "PUT");
    const written = on.us.position;
    promoteDatabase(on, written - 1);
    on.us.position = 0;
    assert.equal((await move(on.here, { force: true })).status, 200);
    await isEpoch(on.there, 2);
    for (const edge of [on.here, on.there]) assert.equal((await ask(edge, "GET")).said, "eu pin lost");
    on.us.position = on.eu.position;
    await eventually(async () => (await ask(on.there, "GET")).said === "us priority lost");
    assert.equal((await ask(on.there, "GET", { authorization: "Bearer bob" })).said, "us priority");
  });

  test("a region that cannot be judged, or lacks something, is not made the write region unless forced", async (t) => {
    const on = await stage(t);
    const refusal = async (body: object) => {
      const { status, json } = await move(on.here, body);
      return `${status} ${json.fault}`;
    };
    assert.equal(await refusal({ region: "us" }), "409 not_movable");
    assert.equal(await refusal({ region: "mars" }), "404 unknown_region");
    assert.equal(await refusal({ region: "eu", reason: "" }), "400 malformed");
    on.us.position += 10;
    await eventually(() => on.here.table.view.byId.get("us")?.applied?.at === on.us.at);
    const refused = refusal({});
    await eventually(() => on.here.table.view.moving);
    assert.equal(await refusal({}), "409 not_movable", "one is under way");
    assert.equal(await refused, "409 not_moved");
    assert.equal(on.here.table.view.moving, false);
    assert.equal((await ask(on.here, "PUT")).said, "us write");
  });

  test("a region is not made the write region by what was said of it before writes were held", async (t) => {
    const on = await stage(t, { probesEvery: "60s" });
    on.eu.scripted.health = () => ({ epoch: on.eu.epoch, applied: on.eu.at, lagMs: 0 });
    for (let n = 0; n < 3; n += 1) assert.equal((await ask(on.there, "PUT")).said, "us write");
    const moving = move(on.here, {});
    await sleep(4_000);
    assert.equal(on.here.table.view.moving, true);
    promoteDatabase(on);
    const { status, json } = await moving;
    assert.deepEqual([status, json.promotedPosition], [200, on.us.at]);
  });

  test("a move that Redis does not confirm is not called undone", async (t) => {
    const on = await stage(t);
    promoteDatabase(on);
    const moving = move(on.there, {});
    await eventually(() => on.here.table.view.moving);
    on.link.stall();
    const { status, json } = await moving;
    assert.deepEqual([status, json.fault], [503, "unconfirmed"], json.detail);
  });

  test("a move goes on from where it was when Redis was away for a moment", async (t) => {
    const on = await stage(t);
    const moving = move(on.there, {});
    await eventually(() => on.here.table.view.moving);
    on.link.stall();
    await sleep(1_500);
    promoteDatabase(on);
    on.link.mend();
    const { status, json } = await moving;
    assert.deepEqual([status, json.after], [200, { writeRegion: "eu", epoch: 2 }], json.detail);
  });

  test("an application that counts epochs of its own is followed by the fleet", async (t) => {
    const on = await stage(t);
    for (const region of [on.us, on.eu]) region.epoch = 7;
    await isEpoch(on.here, 7);
    await isEpoch(on.there, 7);
    assert.equal((await ask(on.there, "PUT")).said, "us write");
  });

  test("a lone edge goes on writing where the reloaded file has put it, whatever becomes of a move", async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "meridian-write-region-"));
    t.after(() => rm(directory, { recursive: true }));
    const configFile = join(directory, "meridian.yaml");
    const written = (writer: string) =>
      stringify({
        listen: { http: { host: "127.0.0.1", port: 0 } },
        admin: { port: 0 },
        secrets: ["a-secret-that-only-tests-use"],
        log: { level: "silent" },
        regions: Object.fromEntries(
          ["us", "eu"].map((id, index) => [
            id,
            { role: id === writer ? "writer" : "replica", endpoints: [`http://127.0.0.1:${9 + index}`] },
          ]),
        ),
      });
    const loaded = parseConfig(written("us"), {});
    assert.ok(loaded.ok);
    const log = createLogger({ level: "silent", edge: "lone" });
    const edge = await startEdge({ config: loaded.config, log, configFile });
    t.after(() => edge.stop(0));
    await writeFile(configFile, written("eu"));
    assert.equal((await edge.reload()).result, "applied");
    await eventually(() => edge.table.view.writeRegion === "eu");
    await edge.topology.change(begun(moveBy("a-test"), 1));
    await edge.topology.change(givenUp("a-move", "a-test"));
    assert.equal(edge.table.view.writeRegion, "eu");
    await edge.topology.promote({ from: 1, to: 2, writer: "us", at: null });
    await writeFile(configFile, `${written("eu")}health: { interval: 3s }\n`);
    assert.equal((await edge.reload()).result, "applied");
    assert.equal(edge.table.view.writeRegion, "us");
  });
});
