import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { runDemo } from "../../src/demo/demo.ts";
import { eventually } from "../support/eventually.ts";

/** As much of a terminal as the demo looks at; everything written to it is kept. */
function terminal({ isTTY }: { isTTY: boolean }) {
  let written = "";
  let raw = false;
  const out = Object.assign(new PassThrough(), { isTTY, rows: 40, hasColors: () => false });
  out.on("data", (chunk) => {
    written += chunk;
  });
  const input = Object.assign(new PassThrough(), {
    isTTY,
    setRawMode(mode: boolean) {
      raw = mode;
    },
  });
  return {
    out: out as unknown as NodeJS.WriteStream,
    in: input as unknown as NodeJS.ReadStream,
    type: (keys: string) => input.write(keys),
    written: () => written,
    isRaw: () => raw,
  };
}

const PORTS = { redisUrl: null, port: 0, adminPort: 0 };

describe("the demo as a process", { concurrency: true }, () => {
  test("without a terminal the demo prints plain lines, sees no stale read, and ends by itself", async () => {
    const { out, in: input, written } = terminal({ isTTY: false });
    assert.equal(await runDemo({ ...PORTS, out, in: input, forSeconds: 4 }), 0);
    assert.match(written(), /eu-west up\/open \d+ ms lag/);
    assert.match(written(), /curl -s http:\/\/127\.0\.0\.1:\d+\/v1\/explain/);
    const [, reads, writes] =
      /(\d+) reads, (\d+) writes, errors: none, stale reads seen: 0\n$/.exec(written()) ?? [];
    assert.ok(Number(reads) > 20 && Number(writes) > 0);
  });

  test("the printed control URL kills a region, and the demo tells", async () => {
    const { out, in: input, written } = terminal({ isTTY: false });
    const playing = runDemo({ ...PORTS, out, in: input, forSeconds: 5 });
    const kill = await eventually(() => /http:\/\/\S+\/eu-west\/kill/.exec(written())?.[0] ?? false);
    assert.equal((await fetch(String(kill), { method: "POST" })).status, 200);
    await eventually(() => /eu-west: up -> down/.test(written()));
    assert.equal(await playing, 0);
    assert.match(written(), /stale reads seen: 0\n$/);
  });

  test("on a terminal keys act on the picked region, and the terminal is given back", async () => {
    const { out, in: input, type, written, isRaw } = terminal({ isTTY: true });
    const playing = runDemo({ ...PORTS, out, in: input });
    await eventually(() => /REGION +ROLE/.test(written()));
    assert.equal(isRaw(), true);
    type("3d");
    await eventually(() => /POST \/v1\/regions\/ap-south\/drain -> 200/.test(written()));
    await eventually(() => /ap-south +replica +up +draining/.test(written()));
    type("2k");
    await eventually(() => /eu-west: up -> down/.test(written()));
    type("h");
    await eventually(() => /eu-west: down -> up/.test(written()));
    type("w");
    await eventually(() => /GET from the phone -> us-east \(pin, version \d+\)/.test(written()));
    type("q");
    assert.equal(await Promise.race([playing, sleep(5_000, "late")]), 0);
    assert.equal(isRaw(), false);
    const [ENTER, LEAVE] = ["\u001b[?1049h", "\u001b[?1049l"];
    assert.ok(written().indexOf(ENTER) < written().lastIndexOf(LEAVE));
  });

  test("a port that is taken is said, and another is used", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const { out, in: input, written } = terminal({ isTTY: false });
    try {
      assert.equal(await runDemo({ ...PORTS, port, out, in: input, forSeconds: 1 }), 0);
    } finally {
      other.close();
    }
    assert.match(
      written(),
      new RegExp(`port ${port} is taken, so the edge is at http://127\\.0\\.0\\.1:\\d+`),
    );
  });
});
