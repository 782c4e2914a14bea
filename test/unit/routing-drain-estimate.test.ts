import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { drainedInMs, type Populations, type Sample } from "../../src/routing/drain-estimate.ts";

const NOBODY: Populations = { sessions: 0, pins: 0, tunnels: 0, streams: 0 };
const MINUTE_MS = 60_000;

/** Who was there a minute ago, and who is there now. */
function during(before: Partial<Populations>, now: Partial<Populations>, ms = MINUTE_MS): readonly Sample[] {
  return [
    { atMs: 5_000, there: { ...NOBODY, ...before } },
    { atMs: 5_000 + ms, there: { ...NOBODY, ...now } },
  ];
}

describe("when a drain is done", () => {
  const rows: [string, readonly Sample[], number | null, number | null][] = [
    ["is now when nobody is there", during({}, {}), MINUTE_MS, 0],
    ["is now when the last has left", during({ tunnels: 9 }, {}), null, 0],
    [
      "is now when sessions are not counted and nobody else is there",
      during({ sessions: null }, { sessions: null }),
      null,
      0,
    ],
    // 16 halve to 8, 4, 2, 1, and then there is fewer than one.
    [
      "is so many half-lives away as it takes to fewer than one",
      during({ sessions: 16 }, { sessions: 8 }),
      null,
      4 * MINUTE_MS,
    ],
    ["is one away for the last one", during({ streams: 2 }, { streams: 1 }), null, MINUTE_MS],
    [
      "is when the last of all kinds is gone",
      during({ sessions: 16, tunnels: 2 }, { sessions: 8, tunnels: 1 }),
      null,
      4 * MINUTE_MS,
    ],
    [
      "is the deadline at the latest",
      during({ sessions: 16 }, { sessions: 8 }),
      3 * MINUTE_MS,
      3 * MINUTE_MS,
    ],
    [
      "is the deadline when they do not get fewer",
      during({ sessions: 8 }, { sessions: 8 }),
      MINUTE_MS,
      MINUTE_MS,
    ],
    ["is the deadline when they become more", during({ pins: 8 }, { pins: 9 }), MINUTE_MS, MINUTE_MS],
    [
      "is the deadline when one kind does not get fewer",
      during({ sessions: 16, pins: 1 }, { sessions: 8, pins: 1 }),
      MINUTE_MS,
      MINUTE_MS,
    ],
    [
      "is not known without a deadline when they do not get fewer",
      during({ sessions: 8 }, { sessions: 8 }),
      null,
      null,
    ],
    [
      "is not known without a deadline while they are counted for the first time",
      during({ sessions: 8 }, { sessions: 4 }, 0),
      null,
      null,
    ],
    ["is not known after a few seconds", during({ sessions: 8 }, { sessions: 4 }, 9_000), null, null],
    ["is not known without a look", [], null, null],
    ["is the deadline without a look", [], 1_000, 1_000],
  ];
  for (const [name, samples, leftMs, expected] of rows) {
    it(name, () => {
      const found = drainedInMs(samples, leftMs);
      assert.equal(found === null ? null : Math.round(found), expected);
    });
  }

  it("is never later than the deadline, and never in the past", () => {
    const count = fc.nat(100_000);
    const someone = fc.record({ sessions: fc.option(count), pins: count, tunnels: count, streams: count });
    const property = fc.property(
      someone,
      someone,
      fc.nat(MINUTE_MS),
      fc.nat(1_000_000),
      (a, b, ms, leftMs) => {
        const found = drainedInMs(during(a, b, ms), leftMs);
        assert.ok(found !== null && found >= 0 && found <= leftMs);
      },
    );
    fc.assert(property);
  });
});
