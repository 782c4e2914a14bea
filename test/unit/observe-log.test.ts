import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { EventBus } from "../../src/events.ts";
import type { Access } from "../../src/observe/access-log.ts";
import { logEvents } from "../../src/observe/event-log.ts";
import { createLogger } from "../../src/observe/log.ts";
import { LogSink } from "../../src/observe/sink.ts";
import { record } from "./observe-samples.ts";

type Line = Record<string, unknown>;

/** An edge's log whose lines end up in an array. */
function listen(access: Access = "all", level = "info") {
  const written: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  const sink = new LogSink(stream);
  const events = new EventBus();
  let nowMs = 0;
  const clock = { now: () => nowMs, wall: () => 0 };
  const log = logEvents(events, createLogger({ level, edge: "e1" }, sink), access, { clock });
  const lines = async (): Promise<Line[]> => {
    await sink.flush(1_000);
    const text = written.splice(0).join("");
    return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Line]));
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { events, log, lines, pass };
}

describe("the access log", () => {
  it("writes one line per request: fields first, a constant message, the edge's id", async () => {
    const { events, lines } = listen();
    events.emit("requestDone", record());
    const [line] = await lines();
    assert.deepEqual(Object.keys(line ?? {}).slice(0, 3), ["level", "time", "edge"]);
    const { time, ...rest } = line ?? {};
    assert.match(String(time), /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.deepEqual(rest, {
      level: "info",
      edge: "e1",
      requestId: "r-1",
      method: "GET",
      path: "/orders/7",
      protocol: "http/1.1",
      status: 200,
      region: "eu-west",
      reason: "latency",
      fault: null,
      attempts: [{ region: "eu-west", endpoint: "http://10.1.0.10:8080", outcome: 200, ms: 20.123 }],
      durationMs: 30,
      upstreamMs: 20.123,
      overheadMs: 0.4,
      bytesIn: 0,
      bytesOut: 512,
      pin: "free",
      consistency: null,
      affinity: "hit",
      complete: true,
      msg: "request",
    });
  });

  const hurt = record({ id: "hurt", fault: "connect_failed", status: 502 });
  const left = record({ id: "left", fault: "client_gone", status: 499 });
  const theirs = record({ id: "theirs", status: 500 });
  const fine = record({ id: "fine" });

  it("warns when the router or a region hurt somebody, and only then", async () => {
    const { events, lines } = listen();
    for (const each of [hurt, left, theirs, fine]) events.emit("requestDone", each);
    const levels = (await lines()).map(({ requestId, level }) => `${requestId} ${level}`);
    assert.deepEqual(levels, ["hurt warn", "left info", "theirs info", "fine info"]);
  });

  it("with access errors, writes what hurt somebody and what a region answered with a 5xx", async () => {
    const { events, lines } = listen("errors");
    for (const each of [hurt, left, theirs, fine]) events.emit("requestDone", each);
    const ids = (await lines()).map(({ requestId }) => requestId);
    assert.deepEqual(ids, ["hurt", "theirs"]);
  });

  it("can be turned off and on while it runs", async () => {
    const { events, lines, log } = listen("off");
    events.emit("requestDone", hurt);
    log.setAccess("all");
    events.emit("requestDone", fine);
    const ids = (await lines()).map(({ requestId }) => requestId);
    assert.deepEqual(ids, ["fine"]);
  });

  it("writes nothing of the decision's inputs", async () => {
    const { events, lines } = listen();
    events.emit("requestDone", record({ decision: { kind: "refused", fault: "no_region" } }));
    const [line] = await lines();
    assert.ok(line !== undefined && !("decision" in line) && !("inputs" in line));
  });
});

describe("the event log", () => {
  it("warns of a region that goes down and informs of one that comes back", async () => {
    const { events, lines } = listen();
    events.emit("healthChanged", { region: "eu-west", from: "up", to: "down", cause: "timeout" });
    events.emit("healthChanged", {
      region: "eu-west",
      from: "down",
      to: "up",
      cause: "2 of 2 probes passed",
    });
    const found = (await lines()).map(({ level, region, to, msg }) => [level, region, to, msg]);
    assert.deepEqual(found, [
      ["warn", "eu-west", "down", "health changed"],
      ["info", "eu-west", "up", "health changed"],
    ]);
  });

  it("has a line for every change an operator would want to know", async () => {
    const { events, lines } = listen();
    events.emit("endpointEjected", { region: "eu-west", endpoint: "http://a", cause: "5 in a row" });
    events.emit("admissionChanged", { region: "a", from: "open", to: "draining", by: "ops", why: "patch" });
    events.emit("redisState", { up: false, cause: "ECONNREFUSED" });
    events.emit("redisState", { up: true, cause: null });
    events.emit("feedState", { behind: true, cause: "timeout" });
    events.emit("feedState", { behind: false, cause: null });
    events.emit("warned", { what: "redis may evict pins", detail: "maxmemory-policy is volatile-ttl" });
    events.emit("overloadChanged", { cause: "memory", shedding: true, seen: "91 % of the memory used" });
    events.emit("overloadChanged", { cause: "memory", shedding: false, seen: "80 % of the memory used" });
    events.emit("connectionRefused", { cause: "address", address: "192.0.2.7" });
    events.emit("headRefused", { fault: "request_timeout" });
    events.emit("configReloaded", { result: "applied", changes: ["log.level: info -> debug"], problems: [] });
    events.emit("configReloaded", { result: "rejected", changes: [], problems: ["m.yaml:3:1: no writer"] });
    events.emit("audited", {
      who: "ops",
      what: "drain",
      target: "a",
      before: "open",
      after: "draining",
      why: "patch",
      result: "done",
    });
    events.emit("lockedOut", { address: "10.0.0.9", wrongTokens: 10, lastsMs: 60_000 });
    const found = (await lines()).map(({ level, msg }) => `${level} ${msg}`);
    assert.deepEqual(found, [
      "warn endpoint ejected",
      "info admission changed",
      "warn redis down",
      "info redis up",
      "warn pin feed behind",
      "info pin feed fresh",
      "warn warning",
      "warn overload",
      "info overload over",
      "warn connection refused",
      "info request refused",
      "info configuration reloaded",
      "warn configuration rejected",
      "info audit",
      "warn locked out",
    ]);
  });

  it("writes one line a second for each failing operation of the pin store, with a count of the rest", async () => {
    const { events, lines, pass } = listen();
    for (let each = 0; each < 100; each++) events.emit("pinStoreFailed", { op: "begin", cause: "timeout" });
    events.emit("pinStoreFailed", { op: "end", cause: "timeout" });
    pass(999);
    events.emit("pinStoreFailed", { op: "begin", cause: "timeout" });
    pass(1);
    events.emit("pinStoreFailed", { op: "begin", cause: "timeout" });
    const found = (await lines()).map(({ op, suppressed }) => `${op} ${suppressed}`);
    assert.deepEqual(found, ["begin 0", "end 0", "begin 100"]);
  });

  it("writes a bug of ours as an error with its stack, once a second for each place", async () => {
    const { events, lines } = listen();
    for (let each = 0; each < 3; each++) {
      events.emit("failed", { where: "handle", error: new TypeError("no such thing") });
    }
    const found = await lines();
    assert.equal(found.length, 1);
    const { level, where, err } = found[0] as { level: string; where: string; err: Record<string, string> };
    assert.deepEqual(
      [level, where, err.type, err.message],
      ["error", "handle", "TypeError", "no such thing"],
    );
    assert.match(err.stack ?? "", /observe-log\.test/);
  });

  it("writes single steps at debug only", async () => {
    const probe = {
      region: "a",
      endpoint: "http://a",
      result: "pass",
      roundTripMs: 2,
      cause: null,
    } as const;
    const quiet = listen("all", "info");
    quiet.events.emit("probed", probe);
    assert.deepEqual(await quiet.lines(), []);
    const chatty = listen("all", "debug");
    chatty.events.emit("probed", probe);
    assert.equal((await chatty.lines())[0]?.msg, "probe");
  });

  it("stops listening when it is closed", () => {
    const { events, log } = listen();
    assert.ok(events.eventNames().length > 5);
    log.close();
    assert.deepEqual(events.eventNames(), []);
  });
});
