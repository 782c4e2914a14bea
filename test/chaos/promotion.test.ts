import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { Child } from "../../scripts/chaos/child.ts";
import type { WorldRecord } from "../../scripts/chaos/history.ts";

const WORLD = path.join(import.meta.dirname, "../../scripts/chaos/world.ts");

/** The world of the proof as a process, without edges before it. */
class WorldOnItsOwn {
  readonly world: Child;
  readonly #urls: Readonly<Record<string, string>>;

  constructor(world: Child, urls: Readonly<Record<string, string>>) {
    this.world = world;
    this.#urls = urls;
  }

  /** Status, version and position. */
  async write(region: string, epoch: number): Promise<readonly [number, string | null, string | null]> {
    const headers = { "x-meridian-write-epoch": `${epoch}`, "x-chaos-operation": "op" };
    const { status, headers: given } = await fetch(this.#url(region), { method: "PUT", headers });
    return [
      status,
      given.get("x-chaos-version"),
      given.get("x-meridian-position")?.replace(/:0+/, ":") ?? null,
    ];
  }

  async read(region: string): Promise<string | null> {
    return (await fetch(this.#url(region))).headers.get("x-chaos-version");
  }

  async probe(region: string): Promise<unknown> {
    const { writer, epoch, applied } = JSON.parse(
      await (await fetch(`${this.#urls[region]}/healthz`)).text(),
    ) as Record<string, unknown>;
    return [writer, epoch, Number(applied)];
  }

  order(act: string, region: string): Promise<unknown> {
    return this.world.order({ act, region });
  }

  #url(region: string): string {
    return `${this.#urls[region]}/items/ada-0`;
  }
}

async function begun(): Promise<WorldOnItsOwn> {
  const { child, ready } = await Child.start(WORLD, ["1"]);
  return new WorldOnItsOwn(child, ready as Readonly<Record<string, string>>);
}

describe("a promotion of the chaos world that loses nothing", () => {
  let here: WorldOnItsOwn;
  before(async () => {
    here = await begun();
  });
  after(() => here.world.end("SIGTERM"));

  it("refuses writes to a region that is not the writer, and writes of another epoch", async () => {
    assert.deepEqual(await here.write("us-east", 1), [200, "1", "1:1"]);
    assert.equal((await here.write("us-east", 2))[0], 421);
    assert.equal((await here.write("eu-west", 1))[0], 421);
  });

  it("takes no writes while one region hands over to another, which has them all then", async () => {
    await here.order("freeze", "ap-south");
    await here.write("us-east", 1);
    await here.order("hand-over", "ap-south");
    assert.equal((await here.write("us-east", 1))[0], 421);
    assert.equal(await here.read("ap-south"), "2");
  });

  it("lets the next writer write in the next epoch, and nobody in the last", async () => {
    await here.order("promote", "ap-south");
    assert.equal((await here.write("us-east", 1))[0], 421);
    assert.equal((await here.write("ap-south", 1))[0], 421);
    assert.deepEqual(await here.write("ap-south", 2), [200, "3", "2:3"]);
    assert.deepEqual(await here.probe("ap-south"), [true, 2, 3]);
  });
});

describe("a promotion of the chaos world that loses a tail", () => {
  let here: WorldOnItsOwn;
  before(async () => {
    here = await begun();
  });
  after(() => here.world.end("SIGTERM"));

  it("loses what the next writer lacked, and says so in the ledger", async () => {
    await here.order("freeze", "eu-west");
    await here.write("us-east", 1);
    await here.order("sever", "us-east");
    await assert.rejects(here.read("us-east"));
    await here.order("promote", "eu-west");
    assert.deepEqual(await here.write("eu-west", 2), [200, "2", "2:1"]);
    const { executions, outages } = (await here.order("record", "")) as WorldRecord;
    assert.deepEqual(
      executions.map(({ version, lostAtMs }) => [version, lostAtMs !== null]),
      [
        [1, true],
        [2, false],
      ],
    );
    assert.deepEqual(
      outages.map(({ region, toMs }) => [region, toMs]),
      [["us-east", null]],
    );
  });

  it("takes the lost writer back as a replica, which has forgotten what was lost", async () => {
    await here.order("revive", "us-east");
    const [writer, epoch] = (await here.probe("us-east")) as readonly unknown[];
    assert.deepEqual([writer, epoch], [false, 2]);
    assert.notEqual(await here.read("us-east"), "1");
    assert.equal((await here.write("us-east", 2))[0], 421);
  });
});
