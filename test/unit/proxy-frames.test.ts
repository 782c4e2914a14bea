import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { closeFrame, FrameReader } from "../../src/proxy/frames.ts";

/** A frame of this many zeros. */
function frame(length: number, { opcode = 2, masked = false } = {}): Buffer {
  const mask = masked ? 0x80 : 0;
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, mask | length])
      : length < 65_536
        ? Buffer.from([0x80 | opcode, mask | 126, length >> 8, length & 0xff])
        : Buffer.concat([Buffer.from([0x80 | opcode, mask | 127]), long(length)]);
  return Buffer.concat([head, Buffer.alloc((masked ? 4 : 0) + length)]);
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** The bytes in pieces that are cut where it is said, and after the last cut. */
function cutUp(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const at = [0, ...[...cuts].sort((one, other) => one - other), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const someFrame = fc
  .record({
    length: fc.oneof(fc.nat(130), fc.constantFrom(125, 126, 127, 65_535, 65_536), fc.nat(70_000)),
    opcode: fc.constantFrom(0, 1, 2, 9, 10),
    masked: fc.boolean(),
  })
  .map(({ length, ...rest }) => frame(length, rest));

describe("a reader of frames", () => {
  it("knows every end of a frame, however the bytes are cut up, and takes nothing else for one", () => {
    const property = fc.property(
      fc.array(someFrame, { minLength: 1, maxLength: 8 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }),
      (frames, cuts) => {
        const bytes = Buffer.concat(frames);
        const ends = frames.map((_, index) => Buffer.concat(frames.slice(0, index + 1)).length);
        const reader = new FrameReader();
        let passed = 0;
        for (const chunk of cutUp(
          bytes,
          cuts.map((share) => Math.round(share * bytes.length)),
        )) {
          for (let at = 0; at < chunk.length; ) {
            const end = reader.readFrame(chunk, at);
            passed += end - at;
            at = end;
            assert.equal(reader.isBetween, ends.includes(passed));
          }
        }
        assert.equal(passed, bytes.length);
        assert.equal(reader.isBetween, true);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it("reads a chunk of many frames and half a header to where it is", () => {
    const reader = new FrameReader();
    reader.read(Buffer.concat([frame(3), frame(0), frame(200), Buffer.from([0x82])]));
    assert.equal(reader.isBetween, false);
    reader.read(Buffer.from([0]));
    assert.equal(reader.isBetween, true);
  });

  it("knows that a close has passed once the whole of it has", () => {
    const reader = new FrameReader();
    const close = frame(2, { opcode: 8, masked: true });
    reader.read(close.subarray(0, 7));
    assert.equal(reader.isClosed, false);
    reader.read(close.subarray(7));
    assert.equal(reader.isClosed, true);
  });

  it("never comes to the end of a frame that claims to be endless", () => {
    const reader = new FrameReader();
    reader.read(Buffer.concat([Buffer.from([0x82, 127]), Buffer.alloc(8, 0xff), Buffer.alloc(100_000)]));
    assert.equal(reader.isBetween, false);
  });
});

describe("a close frame", () => {
  it("of a server is the code and the reason, as they are", () => {
    const bytes = closeFrame(1012, "back soon", { masked: false });
    assert.deepEqual(bytes, Buffer.from("\x88\x0b\x03\xf4back soon", "latin1"));
  });

  it("of a client is the same under a mask that nobody can foresee", () => {
    const [one, other] = [1, 2].map(() => closeFrame(1001, "leaving", { masked: true }));
    assert.ok(one && other);
    assert.notDeepEqual(one.subarray(2, 6), other.subarray(2, 6));
    assert.deepEqual([...one.subarray(0, 2)], [0x88, 0x89]);
    const payload = one.subarray(6).map((byte, index) => byte ^ (one[2 + (index % 4)] ?? 0));
    assert.equal(Buffer.from(payload).toString("latin1"), "\x03\xe9leaving");
  });

  it("is a frame that a reader takes for a close", () => {
    const reader = new FrameReader();
    reader.read(closeFrame(1012, "please connect again", { masked: true }));
    assert.deepEqual([reader.isBetween, reader.isClosed], [true, true]);
  });
});
