import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { configSchema } from "../../src/config/schema.ts";
import { Signer } from "../../src/consistency/signer.ts";
import { CLOCK_SKEW_MS, PinTokens } from "../../src/consistency/token.ts";
import { BY_WRITER } from "../../src/routing/hold.ts";

const WALL_MS = 1_790_000_000_000;
const signer = new Signer(["a secret of ours, long"]);

/** Tokens of an edge whose wall clock shows `WALL_MS + offsetMs`. */
function edge(offsetMs = 0, mode: "strict" | "cookie" = "strict"): PinTokens {
  const config = configSchema.parse({ regions: {}, consistency: { mode, maxPin: "60s" } });
  return new PinTokens(config, { signer, clock: { now: () => 0, wall: () => WALL_MS + offsetMs } });
}

const signed = (payload: string): string => signer.sign("pin", payload);

describe("a pin token", () => {
  it("pins its bearer for as long as it was issued for, and knows its epoch", () => {
    const text = edge().issue(10_000, 7);
    assert.deepEqual(edge().read(text), { remainingMs: 10_000, epoch: 7, hold: BY_WRITER });
    assert.deepEqual(edge(4_000).read(text), { remainingMs: 6_000, epoch: 7, hold: BY_WRITER });
  });

  it("says where its bearer's writes stand, and in which regions they were made", () => {
    const positions = [
      { epoch: 1, at: "00000000000004d2" },
      { epoch: 12, at: "ffffffffffffffff" },
    ];
    for (const hold of [
      { positions, open: false, regions: [] },
      { positions: [], open: true, regions: ["ap-south", "us-east"] },
    ])
      assert.deepEqual(edge().read(edge().issue(10_000, 12, hold))?.hold, hold);
  });

  it("stays one that is read, whatever an application calls an epoch", () => {
    const positions = Array.from({ length: 100 }, (_, n) => ({ epoch: n + 1, at: "ffffffffffffffff" }));
    const token = edge().read(edge().issue(10_000, 100, { positions, open: false, regions: [] }));
    assert.deepEqual(token?.hold, { positions: positions.slice(-4), open: false, regions: [] });
  });

  it("says nothing of positions while another write of its bearer stands nowhere", () => {
    const hold = { positions: [{ epoch: 1, at: "00000000000004d2" }], open: true, regions: [] };
    assert.deepEqual(edge().read(edge().issue(10_000, 1, hold))?.hold, BY_WRITER);
  });

  it("is over when its deadline has passed", () => {
    assert.equal(edge(10_000).read(edge().issue(10_000, 1))?.remainingMs, 0);
    assert.equal(edge(3_600_000).read(edge().issue(10_000, 1))?.remainingMs, 0);
  });

  it("is issued for no longer than the longest pin", () => {
    assert.equal(edge().read(edge().issue(600_000, 1))?.remainingMs, 60_000);
  });

  it("is not believed beyond the longest pin, even when signed", () => {
    const text = signed(`1:${WALL_MS}:${WALL_MS + 86_400_000}:1`);
    assert.equal(edge().read(text)?.remainingMs, 60_000);
    assert.equal(edge(61_000).read(text)?.remainingMs, 0);
  });

  it("pins for no longer than its own length when it comes from a clock that is ahead", () => {
    assert.equal(edge(-30_000).read(edge().issue(10_000, 1))?.remainingMs, 10_000);
  });

  it("never pins when its deadline is before its issue", () => {
    assert.equal(edge().read(signed(`1:${WALL_MS}:${WALL_MS - 5_000}:1`))?.remainingMs, 0);
  });

  it("allows for clocks that differ where the token is all there is", () => {
    const text = edge(0, "cookie").issue(10_000, 1);
    assert.equal(edge(12_000, "cookie").read(text)?.remainingMs, CLOCK_SKEW_MS - 2_000);
    assert.equal(edge(12_000, "strict").read(text)?.remainingMs, 0);
    assert.equal(edge(15_000, "cookie").read(text)?.remainingMs, 0);
  });

  for (const payload of ["", "1", "1:2:3", "2:1:2:3", "1:a:b:c", "1:1:2:3:4:x", "1:NaN:1e400:1", "1:0.5:1:1"])
    it(`is no pin and no error when a signed payload reads ${JSON.stringify(payload)}`, () => {
      assert.equal(edge().read(signed(payload)), null);
    });

  it("runs out also at an edge that has read it before, which believes no other text for it", () => {
    let wallMs = WALL_MS;
    const config = configSchema.parse({ regions: {} });
    const tokens = new PinTokens(config, { signer, clock: { now: () => 0, wall: () => wallMs } });
    const text = tokens.issue(10_000, 7);
    const [payload = "", mac = ""] = text.split(".");
    for (const leftMs of [10_000, 4_000, 0]) {
      wallMs = WALL_MS + 10_000 - leftMs;
      assert.equal(tokens.read(text)?.remainingMs, leftMs);
      for (const forged of [
        payload,
        `${payload}.`,
        `${payload}.${mac.slice(1)}`,
        `${payload}.${mac}A`,
        ` ${text}`,
      ])
        assert.equal(tokens.read(forged), null);
    }
  });

  it("is no pin and no error when it is forged", () => {
    const forged = new Signer(["somebody else's secret"]).sign("pin", `1:${WALL_MS}:${WALL_MS + 9_000}:1`);
    assert.equal(edge().read(forged), null);
    assert.equal(edge().read("garbage"), null);
    assert.equal(edge().read(""), null);
  });
});
