import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { LogSink } from "../../src/observe/sink.ts";

/** A process that logs 8 MB in a second, then reports on standard error and ends by itself. */
const CHATTER = `
  import { createLogger } from ${JSON.stringify(new URL("../../src/observe/log.ts", import.meta.url))};
  import { LogSink } from ${JSON.stringify(new URL("../../src/observe/sink.ts", import.meta.url))};
  const sink = new LogSink(process.stdout);
  const logger = createLogger({ level: "info", edge: "e1" }, sink);
  let turns = 0, late = 0, last = performance.now();
  const timer = setInterval(async () => {
    const now = performance.now();
    late = Math.max(late, now - last);
    last = now;
    for (let line = 0; line < 80; line++) logger.info({ filler: "x".repeat(2_000) }, "chatter");
    if (++turns < 50) return;
    clearInterval(timer);
    const began = performance.now();
    await sink.flush(300);
    const flushMs = performance.now() - began;
    process.stderr.write(JSON.stringify({ dropped: sink.dropped, late, flushMs }), () => process.exit(0));
  }, 20);
`;

interface Report {
  readonly dropped: number;
  readonly late: number;
  readonly flushMs: number;
}

/** Runs the chatter with a reader of standard output, and answers its last words and what was read. */
async function chatter(reader: "reads" | "stalls" | "leaves"): Promise<{ report: Report; read: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", CHATTER]);
  let read = "";
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  if (reader === "leaves") child.stdout.destroy();
  if (reader === "reads") {
    child.stdout.on("data", (chunk) => {
      read += chunk;
    });
  }
  const [code] = await once(child, reader === "reads" ? "close" : "exit");
  child.stdout.destroy();
  assert.equal(code, 0, said);
  return { report: JSON.parse(said) as Report, read };
}

describe("the log's way out", () => {
  it("gets every line to a reader that reads", async () => {
    const { report, read } = await chatter("reads");
    assert.equal(report.dropped, 0);
    assert.equal(read.match(/"msg":"chatter"\}\n/g)?.length, 4_000);
  });

  it("does not stall, grow or fail to exit behind a reader that does not read, and counts what is lost", async () => {
    const { report } = await chatter("stalls");
    assert.ok(report.dropped > 1_000 && report.dropped < 4_000, `dropped ${report.dropped}`);
    assert.ok(report.late < 2_000, `the event loop stood still for ${report.late} ms`);
    assert.ok(report.flushMs < 3_000, `flush took ${report.flushMs} ms`);
  });

  it("survives a reader that leaves, and counts what is lost", async () => {
    const { report } = await chatter("leaves");
    assert.ok(report.dropped > 3_000, `dropped ${report.dropped}`);
  });

  it("says how many lines are missing once lines get through again", async () => {
    const stuck: (() => void)[] = [];
    const stream = new Writable({
      write: (_chunk, _encoding, done) => void stuck.push(done),
    });
    const sink = new LogSink(stream);
    const missing: number[] = [];
    sink.onRecovered((lines) => missing.push(lines));
    for (let line = 0; line < 7; line++) sink.write(`${"x".repeat(1_000_000)}\n`);
    const written = sink.flush(5_000);
    for (let release = stuck.shift(); release !== undefined; release = stuck.shift()) release();
    stream._write = (_chunk, _encoding, done) => done();
    await written;
    assert.deepEqual({ missing, dropped: sink.dropped }, { missing: [3], dropped: 3 });
  });
});
