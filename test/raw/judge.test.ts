import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { CASES } from "./cases/all.ts";
import type { Lane } from "./observe.ts";
import { type Played, playAll } from "./play.ts";
import { RecordingRegion } from "./recording-region.ts";

/**
 * The proxy that everybody writes: hop-by-hop headers off, the body piped. Node frames no body of a DELETE by itself, so
 * that it becomes the next request on a kept connection.
 */
async function startNaiveProxy(t: TestContext): Promise<Lane> {
  const region = await new RecordingRegion().start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const proxy = createServer({ insecureHTTPParser: true }, (req, res) => {
    const { connection: _, "transfer-encoding": __, ...headers } = req.headers;
    const onward = request(
      region.url + req.url,
      { method: req.method ?? "", headers, agent, insecureHTTPParser: true },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(res);
        answer.on("error", () => res.destroy());
      },
    );
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  });
  proxy.on("clientError", (_error, socket) => socket.destroy());
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(async () => {
    proxy.close();
    proxy.closeAllConnections();
    agent.destroy();
    await region.stop();
  });
  return { proxyPort: (proxy.address() as AddressInfo).port, region };
}

async function play(t: TestContext, name: string): Promise<Played> {
  const cases = CASES.filter((each) => each.name === name);
  assert.equal(cases.length, 1, `there is one case ${name}`);
  const [played] = await playAll(cases, [await startNaiveProxy(t)]);
  assert.ok(played);
  return played;
}

test("a proxy that leaves a body without its framing is found to smuggle", async (t) => {
  const { outcome } = await play(t, "TE.0: a chunked body on DELETE is not the next request");
  assert.ok(outcome.poisoned);
});

test("a proxy that passes on what is to be refused, and goes on, is found out", async (t) => {
  const { outcome } = await play(t, "two Host lines (RFC 9112 §3.2)");
  assert.deepEqual([outcome.verdict, outcome.unsafe], ["passed", true]);
  const kept = await play(t, "TRACE, which shows what the edge adds (RFC 9110 §9.3.8)");
  assert.deepEqual([kept.outcome.verdict, kept.observed.after], ["passed", "right"]);
});

test("a proxy that gives a region's splitting to the client is found out", async (t) => {
  const { outcome } = await play(t, "what a region says to the edge alone");
  assert.equal(outcome.verdict, "passed");
});

test("a proxy that does nothing wrong is not blamed", async (t) => {
  const { outcome, observed } = await play(t, "a plain GET (RFC 9112 §3)");
  assert.deepEqual(outcome, {
    verdict: "passed",
    status: 200,
    unsafe: false,
    reused: false,
    poisoned: false,
  });
  assert.deepEqual([observed.after, observed.next], ["right", "right"]);
});
