import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { request } from "undici";
import { stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startWorld } from "../support/world.ts";

/** Nobody here is identified, so nobody is pinned by a write of his own. */
async function stage(t: TestContext, monotonic: boolean): Promise<{ world: SimulatedWorld; edge: Edge }> {
  const world = await startWorld({
    regions: [
      { id: "us-east", role: "writer", delayMs: 40 },
      { id: "eu-west", role: "replica", delayMs: 2, lagMs: 50 },
      { id: "ap-south", role: "replica", delayMs: 20, lagMs: 1_500 },
    ],
  });
  t.after(() => world.stop());
  const edge = await startTestEdge(
    world,
    stringify({ affinity: { monotonic }, health: { maxLag: "4s" }, consistency: { mode: "off" } }),
  );
  t.after(() => edge.stop(0));
  return { world, edge };
}

class Browser {
  cookie = "";
  readonly #edge: Edge;

  constructor(edge: Edge) {
    this.#edge = edge;
  }

  async read() {
    const headers = this.cookie === "" ? {} : { cookie: this.cookie };
    const answer = await request(`${this.#edge.httpUrl}/items/news`, { headers });
    const line = [answer.headers["set-cookie"] ?? []].flat().find((one) => one.startsWith("meridian_aff"));
    if (line !== undefined) this.cookie = line.split(";", 1)[0] ?? "";
    const { version } = (await answer.body.json()) as { version: number };
    return { version, region: String(answer.headers["x-meridian-region"]) };
  }
}

/** Reads what others write, while the session's region dies; resolves to the versions that it saw. */
async function readThroughLoss({ world, edge }: { world: SimulatedWorld; edge: Edge }) {
  const browser = new Browser(edge);
  const publish = () => request(`${world.writer.url}/items/news`, { method: "PUT" });
  const first = await (await publish()).body.json();
  assert.ok(first);
  await eventually(async () => (await browser.read()).version === 1);
  assert.equal((await browser.read()).region, "eu-west");
  await (await publish()).body.dump();
  await eventually(async () => (await browser.read()).version === 2);
  await world.region("eu-west").kill();
  const seen: Awaited<ReturnType<Browser["read"]>>[] = [];
  await eventually(
    async () => {
      seen.push(await browser.read());
      return seen.at(-1)?.region === "ap-south" && seen.at(-1)?.version === 2;
    },
    { withinMs: 15_000 },
  );
  return seen;
}

test("a session that moves to another replica sees nothing older there, when asked for", async (t) => {
  const seen = await readThroughLoss(await stage(t, true));
  assert.ok(seen.every(({ version }) => version === 2));
  assert.equal(seen[0]?.region, "us-east");
});

test("without that it may go back in time", async (t) => {
  const seen = await readThroughLoss(await stage(t, false));
  assert.ok(seen.some(({ version, region }) => version === 1 && region === "ap-south"));
});
