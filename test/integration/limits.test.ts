import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { request } from "undici";
import type { EdgeEvents } from "../../src/events.ts";
import { sendRaw } from "../support/raw.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

describe("what a client asks with", () => {
  let world: ScriptedWorld;
  const refused: EdgeEvents["headRefused"][] = [];
  before(async () => {
    const limits = {
      maxUrlBytes: "1KiB",
      maxHeaders: 20,
      headersTimeout: "500ms",
      idleConnectionTimeout: "500ms",
    };
    world = await startScripted({ main: (_req, res) => void res.end("ok") }, { limits });
    world.edge.events.on("headRefused", (event) => refused.push(event));
  });
  after(() => world.stop());

  test("may have a URL as long as is allowed, and not longer", async () => {
    const { httpUrl } = world.edge;
    const fits = await request(`${httpUrl}/${"a".repeat(1_023)}`);
    assert.equal(fits.statusCode, 200);
    await fits.body.dump();
    const { statusCode, body } = await request(`${httpUrl}/${"a".repeat(1_024)}`);
    assert.equal(statusCode, 414);
    assert.equal(((await body.json()) as { fault: string }).fault, "url_too_long");
  });

  test("may have so many headers, and not more", async () => {
    const head = (count: number) =>
      `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${"A: b\r\n".repeat(count - 2)}\r\n`;
    const fits = await sendRaw(world.edge.httpUrl, head(20));
    assert.match(fits.text, /^HTTP\/1\.1 200 /);
    const many = await sendRaw(world.edge.httpUrl, head(21));
    assert.match(many.text, /^HTTP\/1\.1 431 .*"fault":"header_too_large"/s);
    assert.deepEqual(refused.splice(0), [{ fault: "header_too_large" }]);
  });

  test("has to be said in time, however it drips", async () => {
    const { text, closed } = await sendRaw(world.edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\nA: ", {
      forMs: 8_000,
    });
    assert.match(text, /^HTTP\/1\.1 408 .*"fault":"request_timeout"/s);
    assert.equal(closed, "end");
    assert.deepEqual(refused.splice(0), [{ fault: "request_timeout" }]);
  });

  test("who says nothing at all is told nothing, and the connection ends", async () => {
    const { text, closed } = await sendRaw(world.edge.httpUrl, "", { forMs: 8_000 });
    assert.deepEqual([text, closed], ["", "end"]);
    assert.equal(refused.splice(0).length, 1);
  });

  test("a connection on which nothing is asked any more ends, and nobody is blamed", async () => {
    const { text, closed } = await sendRaw(world.edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", {
      forMs: 8_000,
    });
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.deepEqual([closed, refused], ["end", []]);
  });

  test("what was no request is counted by its fault", async () => {
    await sendRaw(world.edge.httpUrl, "nonsense\r\n\r\n");
    const count = (fault: string) => metric(world, `meridian_heads_refused_total{fault="${fault}"}`);
    assert.deepEqual(
      await Promise.all(["bad_request", "header_too_large", "request_timeout"].map(count)),
      [1, 1, 2],
    );
  });
});

/** The value of one sample of the edge's metrics; null when there is none. */
async function metric({ edge }: ScriptedWorld, series: string): Promise<number | null> {
  const text = await (await request(`${edge.adminUrl}/metrics`)).body.text();
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}
