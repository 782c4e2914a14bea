import assert from "node:assert/strict";
import dns from "node:dns";
import type { RequestListener } from "node:http";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../../src/clock.ts";
import { statusMatcher } from "../../src/regions/answer.ts";
import { Probe, type ProbeOutcome, type ProbeSettings } from "../../src/regions/probe.ts";
import { transportOf } from "../../src/regions/transport.ts";
import { answers, answersJson, closedPort, httpTarget, type Target, tcpTarget } from "./regions-servers.ts";

const SETTINGS: ProbeSettings = {
  path: "/healthz",
  timeoutMs: 400,
  expects: statusMatcher("200-299"),
  headers: { "user-agent": "meridian/test", "x-meridian-edge": "edge-1" },
};

function probeOf(context: TestContext, origin: string): Probe {
  const transport = transportOf(origin, { http2: false });
  const probe = new Probe(() => transport, systemClock);
  context.after(() => probe.close());
  return probe;
}

async function probed(context: TestContext, target: Target, settings = SETTINGS): Promise<ProbeOutcome> {
  context.after(() => target[Symbol.asyncDispose]());
  return probeOf(context, target.origin).run(settings);
}

const silence: RequestListener = () => {};

const rows: readonly [
  sentence: string,
  target: () => Promise<Target>,
  result: ProbeOutcome["result"],
  cause: RegExp | null,
][] = [
  ["passes on 200 without a body", () => httpTarget(answers(200)), "pass", null],
  ["passes on 204", () => httpTarget(answers(204)), "pass", null],
  [
    "passes on a page of HTML",
    () => httpTarget(answers(200, "<p>", { "content-type": "text/html" })),
    "pass",
    null,
  ],
  ["hears a degraded region", () => httpTarget(answersJson({ status: "degraded" })), "degraded", null],
  [
    "hears a region that wants to be drained",
    () => httpTarget(answersJson({ status: "drain" })),
    "drain",
    null,
  ],
  ["passes early hints by", () => httpTarget(earlyHints), "pass", null],
  ["fails on 500", () => httpTarget(answers(500)), "status", /^status 500$/],
  ["fails on 500 however long its body", () => httpTarget(endless(500)), "status", /500/],
  ["does not follow a redirect", () => httpTarget(answers(302, "", { location: "/login" })), "status", /302/],
  ["fails on silence", () => httpTarget(silence), "timeout", /400 ms/],
  ["fails on a black hole", () => tcpTarget(() => {}), "timeout", /400 ms/],
  ["fails on a body that never ends", () => httpTarget(dripping), "timeout", /400 ms/],
  ["fails on more than 64 KiB", () => httpTarget(endless(200)), "body", /65536/],
  ["fails on a body that is cut", () => httpTarget(cutBody), "body", /.+/],
  ["fails on a reset", () => tcpTarget((socket) => socket.resetAndDestroy()), "connect", /ECONNRESET|closed/],
  ["fails on a hang-up", () => tcpTarget((socket) => socket.end()), "connect", /closed/],
  [
    "fails on what is not HTTP",
    () => tcpTarget((socket) => socket.end("SSH-2.0-hello\r\n\r\n")),
    "connect",
    /HPE|HTTP|parse/i,
  ],
];

for (const [sentence, target, result, cause] of rows) {
  test(`a probe ${sentence}`, async (context) => {
    const outcome = await probed(context, await target());
    assert.equal(outcome.result, result, outcome.cause ?? "");
    if (cause === null) assert.equal(outcome.cause, null);
    else assert.match(outcome.cause ?? "", cause);
    const isAnswer = result === "pass" || result === "degraded" || result === "drain";
    assert.equal(outcome.roundTripMs !== null, isAnswer, "a round trip is measured exactly when it passed");
  });
}

test("a probe fails on a closed port", async (context) => {
  const outcome = await probeOf(context, `http://127.0.0.1:${await closedPort()}`).run(SETTINGS);
  assert.equal(outcome.result, "connect");
  assert.match(outcome.cause ?? "", /ECONNREFUSED/);
});

test("a probe reads what a region reports", async (context) => {
  const said = { status: "ok", writer: true, epoch: 3, applied: "00000000000004d2", lagMs: 120 } as const;
  const { reported } = await probed(context, await httpTarget(answersJson(said)));
  assert.deepEqual(reported, said);
});

test("a probe says who asks, and asks for the configured path", async (context) => {
  let seen = "";
  const target = await httpTarget(({ method, url, headers }, response) => {
    seen = `${method} ${url} ${headers["user-agent"]} ${headers["x-meridian-edge"]}`;
    response.end();
  });
  await probed(context, target);
  assert.equal(seen, "GET /healthz meridian/test edge-1");
});

test("the time to find and connect to a region is not part of the round trip", async (context) => {
  const target = await httpTarget(answers(200));
  context.after(() => target[Symbol.asyncDispose]());
  const lookup = dns.lookup;
  context.mock.method(dns, "lookup", (...asked: Parameters<typeof lookup>) => {
    setTimeout(() => lookup(...asked), 200);
  });
  const probe = probeOf(context, target.origin.replace("127.0.0.1", "localhost"));
  const startedMs = performance.now();
  const { roundTripMs } = await probe.run({ ...SETTINGS, timeoutMs: 2_000 });
  assert.ok(performance.now() - startedMs >= 200);
  assert.ok(roundTripMs !== null && roundTripMs < 190, `${roundTripMs}`);
});

test("a probe that expects TLS fails on a server that does not speak it", async (context) => {
  const target = await httpTarget(answers(200));
  context.after(() => target[Symbol.asyncDispose]());
  const outcome = await probeOf(context, target.origin.replace("http:", "https:")).run(SETTINGS);
  assert.equal(outcome.result, "connect");
});

test("probes share one connection while it lasts", async (context) => {
  const target = await httpTarget(answersJson({}));
  context.after(() => target[Symbol.asyncDispose]());
  const probe = probeOf(context, target.origin);
  for (let n = 0; n < 5; n += 1) assert.equal((await probe.run(SETTINGS)).result, "pass");
  assert.equal(target.connections(), 1);
});

test("a connection that the region closed while idle is not ill health", async (context) => {
  const target = await httpTarget(answers(200));
  context.after(() => target[Symbol.asyncDispose]());
  const probe = probeOf(context, target.origin);
  await probe.run(SETTINGS);
  for (let n = 0; n < 20; n += 1) {
    target.cut();
    assert.equal((await probe.run(SETTINGS)).result, "pass");
  }
});

test("a region that answers again passes with the next probe", async (context) => {
  let isSilent = true;
  const target = await httpTarget((request, response) => {
    if (!isSilent) answers(200)(request, response);
  });
  context.after(() => target[Symbol.asyncDispose]());
  const probe = probeOf(context, target.origin);
  assert.equal((await probe.run({ ...SETTINGS, timeoutMs: 50 })).result, "timeout");
  isSilent = false;
  assert.equal((await probe.run(SETTINGS)).result, "pass");
});

test("a probe during which this process slept is not the region's failure", async (context) => {
  const target = await httpTarget(answers(200));
  context.after(() => target[Symbol.asyncDispose]());
  const probe = probeOf(context, target.origin);
  await probe.run(SETTINGS);
  const running = probe.run(SETTINGS);
  block(2_000);
  const { result, roundTripMs } = await running;
  assert.equal(result, "pass");
  assert.equal(roundTripMs, null, "a time that includes our sleep says nothing of the region");
});

test("an answer that came while this process slept through the last of its time-out still counts", async (context) => {
  const target = await tcpTarget((socket) => {
    const answerAndSleep = (): void => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      block(1_000);
    };
    // Not from a timer: as after a stopped process, the next thing that runs must be the timers.
    setTimeout(() => setImmediate(answerAndSleep), 1_600);
  });
  const { result } = await probed(context, target, { ...SETTINGS, timeoutMs: 2_000 });
  assert.equal(result, "pass");
});

test("a probe ends even in a process that is always late", async (context) => {
  const target = await tcpTarget(() => {});
  context.after(() => target[Symbol.asyncDispose]());
  const blocking = setInterval(() => block(60), 1);
  context.after(() => clearInterval(blocking));
  const outcome = await probeOf(context, target.origin).run({ ...SETTINGS, timeoutMs: 100 });
  assert.equal(outcome.result, "timeout");
});

test("closing ends a probe that is under way", async (context) => {
  const target = await httpTarget(silence);
  context.after(() => target[Symbol.asyncDispose]());
  const transport = transportOf(target.origin, { http2: false });
  const probe = new Probe(() => transport, systemClock);
  const running = probe.run({ ...SETTINGS, timeoutMs: 60_000 });
  await sleep(50);
  await probe.close();
  assert.equal((await running).result, "connect");
});

/** Keeps this thread busy, as a long collection or SIGSTOP would. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function earlyHints(...[, response]: Parameters<RequestListener>): void {
  response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
  response.end();
}

function dripping(...[, response]: Parameters<RequestListener>): void {
  const drip = setInterval(() => response.write("."), 20);
  response.on("close", () => clearInterval(drip));
}

function cutBody(...[, response]: Parameters<RequestListener>): void {
  response.writeHead(200, { "content-length": "100" });
  response.write("ten bytes.", () => response.destroy());
}

function endless(status: number): RequestListener {
  return (_request, response) => {
    response.writeHead(status);
    const more = (): void => {
      while (response.write(Buffer.alloc(16_384))) {
        // Until the client does not keep up.
      }
    };
    response.on("drain", more);
    more();
  };
}
