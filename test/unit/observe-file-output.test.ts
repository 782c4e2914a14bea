import assert from "node:assert/strict";
import type { write } from "node:fs";
import { describe, it } from "node:test";
import { FileOutput, Unwritten } from "../../src/observe/file-output.ts";

type Done = (error: Error | null, written: number) => void;

/** A disk with so much room, which takes a few bytes at a time. */
class Disk {
  text = "";
  room: number;

  constructor(room: number) {
    this.room = room;
  }

  readonly write = ((_fd: number, bytes: Buffer, from: number, length: number, _at: null, done: Done) => {
    const taken = Math.min(length, this.room, 7);
    this.text += bytes.toString("utf8", from, from + taken);
    this.room -= taken;
    if (taken === 0) setImmediate(() => done(new Error("no space left"), 0));
    else setImmediate(() => done(null, taken));
  }) as typeof write;
}

/** How many of its lines were written; null when all. */
function written(out: FileOutput, text: string): Promise<number | null> {
  return new Promise((resolve) => {
    out.write(text, (error) => resolve(error instanceof Unwritten ? error.linesWritten : null));
  });
}

describe("a log in a file", () => {
  it("has every line, in order, however little the disk takes at a time", async () => {
    const disk = new Disk(1_000);
    const out = new FileOutput(1, disk.write);
    const all = Array.from({ length: 10 }, (_, n) => written(out, `{"line":${n}}\n`));
    assert.ok(out.writableLength > 0);
    assert.deepEqual(await Promise.all(all), Array(10).fill(null));
    assert.equal(disk.text, Array.from({ length: 10 }, (_, n) => `{"line":${n}}\n`).join(""));
    assert.equal(out.writableLength, 0);
  });

  it("says how many lines a disk that became full still took", async () => {
    const out = new FileOutput(1, new Disk(11).write);
    assert.deepEqual(
      await Promise.all([written(out, "one\ntwo\nthree\nfour\n"), written(out, "five\n")]),
      [2, 0],
    );
  });

  it("goes on when there is room again, on a line of its own", async () => {
    const disk = new Disk(6);
    const out = new FileOutput(1, disk.write);
    assert.deepEqual(await Promise.all([written(out, "one\ntwo\n"), written(out, "lost\n")]), [1, 0]);
    disk.room = 100;
    assert.equal(await written(out, "three\n"), null);
    assert.equal(await written(out, "four\n"), null);
    assert.equal(disk.text, "one\ntw\nthree\nfour\n");
  });
});
