import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { EventFeed } from "../../src/admin/feed.ts";
import { systemClock } from "../../src/clock.ts";
import { EventBus } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";
import { type AdminEdge, adminEdge, listen, setHealth } from "./admin-edge.ts";

describe("GET /v1/events", () => {
  let edge: AdminEdge;
  beforeEach(async () => {
    edge = await adminEdge();
  });
  afterEach(() => edge.close());

  it("tells what happens, as it happens, with growing ids", async () => {
    const stream = await listen(edge.url);
    assert.equal(stream.response.headers["content-type"], "text/event-stream");
    setHealth(edge, "ap-south", false);
    await edge.call("POST", "/v1/regions/eu-west/drain", { body: { reason: "upgrade" } });
    edge.events.emit("redisState", { up: false, cause: "ECONNREFUSED" });
    edge.events.emit("configReloaded", { result: "rejected", changes: [], problems: ["no writer"] });
    const endpoint = "http://127.0.0.1:10";
    edge.events.emit("endpointEjected", { region: "eu-west", endpoint, cause: "reset" });
    await eventually(() => stream.seen.length >= 6);
    stream.stop();

    const names = stream.seen.map(({ event }) => event).toSorted();
    assert.deepEqual(names, [
      "admissionChanged",
      "audited",
      "configReloaded",
      "endpointEjected",
      "healthChanged",
      "redisState",
    ]);
    const audited = stream.seen.find(({ event }) => event === "audited");
    assert.equal(audited?.data.why, "upgrade");
    assert.ok(Number.isFinite(Date.parse(String(audited?.data.at))));
    const ids = stream.seen.map(({ id }) => Number(id));
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(ids).size, ids.length);
  });

  it("tells every listener the same", async () => {
    const streams = await Promise.all([listen(edge.url), listen(edge.url)]);
    edge.events.emit("redisState", { up: true, cause: null });
    for (const { seen } of streams) await eventually(() => seen.length === 1);
    assert.deepEqual(streams[0].seen, streams[1].seen);
    for (const { stop } of streams) stop();
  });

  it("ends when the admin API closes, which does not wait for its listeners", async () => {
    const stream = await listen(edge.url);
    await edge.admin.close();
    await stream.ended;
  });

  it("cuts a listener that does not read, and keeps the others", async () => {
    const stream = await listen(edge.url);
    const { hostname, port, host } = new URL(edge.url);
    const deaf = connect(Number(port), hostname);
    await once(deaf, "connect");
    deaf.write(`GET /v1/events HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    await once(deaf, "readable");
    deaf.pause();
    const closed = once(deaf, "close");
    deaf.on("error", () => {});

    const cause = "x".repeat(1_000_000);
    const sent = 30;
    for (let count = 0; count < sent; count++) {
      edge.events.emit("redisState", { up: false, cause });
      await eventually(() => stream.seen.length === count + 1);
    }
    let received = 0;
    deaf.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    deaf.resume();
    await closed;
    assert.ok(received < sent * cause.length, `it received ${received} bytes`);
    stream.stop();
  });
});

describe("the event feed", () => {
  it("forgets listeners that leave, and stops listening when it closes", async () => {
    const edge = await adminEdge();
    const before = edge.events.listenerCount("redisState");
    const stream = await listen(edge.url);
    stream.stop();
    await edge.close();
    assert.equal(before, 1);
    assert.equal(edge.events.listenerCount("redisState"), 0);
  });

  it("sends a comment from time to time, so that nobody between takes the silence for death", async () => {
    const written: string[] = [];
    const feed = new EventFeed(new EventBus(), systemClock, 10);
    const client = {
      on: () => {},
      writeHead: () => {},
      write: (text: string) => written.push(text),
      end: () => {},
    };
    feed.add(client as never);
    await eventually(() => written.filter((text) => text === ":\n\n").length >= 2);
    feed.close();
  });
});
