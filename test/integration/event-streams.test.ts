import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { RequestRecord } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

const STREAMS = 60;

type Handler = Parameters<typeof startScripted>[0][string];

/** Events of an application, each written in two halves, without end; and answers that are none. */
function application(region: string): Handler {
  return (req, res) => {
    const { pathname } = new URL(req.url ?? "/", "http://x");
    if (pathname === "/slow") {
      res.writeHead(200, { "x-region": region }).write("slow ");
      setTimeout(() => res.end("and whole"), 1_500);
    } else if (pathname === "/stuck") {
      res.writeHead(200, { "content-type": "text/event-stream" }).write("data: begun");
    } else {
      res.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
      const writing = setInterval(() => {
        res.write(`id: ${region}\nda`);
        setTimeout(() => res.writable && res.write("ta: 1\n\n"), 20);
      }, 60);
      res.once("close", () => clearInterval(writing));
    }
  };
}

async function setUp(t: TestContext, overrides: Record<string, unknown> = {}) {
  const world = await startScripted({ near: application("near"), far: application("far") }, overrides);
  t.after(() => world.stop());
  const records: RequestRecord[] = [];
  world.edge.events.on("requestDone", (record) => records.push(record));
  return { ...world, records };
}

/** One stream of a client, and how it came to its end. */
interface Stream {
  text: string;
  end: "clean" | "cut" | null;
  endedAtMs: number;
}

async function listen(
  { edge }: Pick<ScriptedWorld, "edge">,
  path = "/events",
  method = "GET",
): Promise<Stream> {
  const stream: Stream = { text: "", end: null, endedAtMs: 0 };
  const asking = get(`${edge.httpUrl}${path}`, { method });
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  const ended = (end: "clean" | "cut") => Object.assign(stream, { end, endedAtMs: performance.now() });
  answer.setEncoding("utf8").on("data", (text: string) => {
    stream.text += text;
  });
  answer.on("end", () => ended("clean")).on("error", () => ended("cut"));
  await eventually(() => stream.text !== "");
  return stream;
}

async function close({ edge }: Pick<ScriptedWorld, "edge">, region: string): Promise<void> {
  const answer = await request(`${edge.adminUrl}/v1/regions/${region}/close?force=true`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"reason":"a test"}',
  });
  assert.equal(answer.statusCode, 200, await answer.body.text());
}

function assertWhole(streams: readonly Stream[]): void {
  assert.deepEqual([...new Set(streams.map(({ end }) => end))], ["clean"]);
  const broken = streams.filter(({ text }) => !text.endsWith("\n\n"));
  assert.equal(broken.length, 0, "each ends after an event");
}

describe("event streams", { concurrency: true }, () => {
  test("the event streams of a closed region end between two events, one after the other, and go on elsewhere", async (t) => {
    const world = await setUp(t);
    const streams = await Promise.all(Array.from({ length: STREAMS }, () => listen(world)));
    const posted = await listen(world, "/events", "POST");
    const slow = request(`${world.edge.httpUrl}/slow`);
    await eventually(() => world.edge.streams.counts().get("near") === STREAMS);
    await close(world, "near");
    await eventually(() => streams.every(({ end }) => end !== null), { withinMs: 10_000 });
    assertWhole(streams);
    const times = streams.map(({ endedAtMs }) => endedAtMs);
    assert.ok(Math.max(...times) - Math.min(...times) > 1_000, "not all at once");
    assert.equal(await (await slow).body.text(), "slow and whole", "an ordinary answer is let finish");
    assert.equal(posted.end, null, "what may not be asked for twice is let finish");
    assert.equal(world.edge.streams.counts().size, 0);
    const ended = await eventually(() => {
      const found = world.records.filter(({ path, method }) => path === "/events" && method === "GET");
      assert.equal(found.length, STREAMS);
      return found;
    });
    assert.deepEqual([...new Set(ended.map(({ fault, complete }) => `${fault} ${complete}`))], ["null true"]);
    assert.match((await listen(world)).text, /^id: far/);
  });

  test("an event that does not end is not waited for", async (t) => {
    const world = await setUp(t);
    const stream = await listen(world, "/stuck");
    await close(world, "near");
    await eventually(() => stream.end === "clean", { withinMs: 10_000 });
    assert.equal(stream.text, "data: begun");
  });

  test("a stopping edge ends its event streams once nothing is accepted any more, long before its grace is over", async (t) => {
    const world = await setUp(t, { shutdown: { grace: "30s" } });
    const streams = await Promise.all(Array.from({ length: STREAMS }, () => listen(world)));
    const startedMs = performance.now();
    const stopping = world.edge.stop();
    await sleep(2_000);
    assert.ok(
      streams.every(({ end }) => end === null),
      "while balancers still send requests",
    );
    await stopping;
    assertWhole(streams);
    assert.ok(performance.now() - startedMs < 20_000);
  });
});
