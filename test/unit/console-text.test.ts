import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { FEED_EVENTS } from "../../src/admin/feed.ts";
import type { StatusAnswer } from "../../src/admin/messages.ts";
import { conditionOf, headlineOf, type Seen, staleMs } from "../../src/console/condition.ts";
import { userText } from "../../src/console/explained.ts";
import { duration, fromNow, listed, milliseconds, percent } from "../../src/console/format.ts";
import { happening } from "../../src/console/happenings.ts";
import { placeLabels } from "../../src/console/labels.ts";
import { MAP, project } from "../../src/console/projection.ts";
import { MessageReader } from "../../src/console/sse.ts";
import { obstacleText, reasonText } from "../../src/console/words.ts";

const SERVING: Seen = {
  ...{ id: "eu", role: "replica", health: "up", admission: "open", operator: null },
  ...{ lagMs: 100, fenced: false, warmth: 1, endpoints: [] },
};
const STATUS: StatusAnswer = {
  ...{ edge: "edge-1", version: "0.1.0", uptimeSeconds: 61, configVersion: 1, epoch: 4, writeRegion: "us" },
  ...{ mode: "rw", move: null, consistency: "strict", redis: "up", edges: 3, caller: null, workers: 1 },
};
const LIMITS = { maxLagMs: 1_000 };
const regions = (change: Partial<Seen> = {}) => [
  { ...SERVING, id: "us" },
  { ...SERVING, ...change },
];

describe("how a region is", () => {
  for (const [change, said] of [
    [{}, "ok serving"],
    [{ role: "standby" }, "ok standing by"],
    [{ health: "down", admission: "draining" }, "crit down"],
    [{ fenced: true }, "crit fenced"],
    [{ admission: "closed", health: "degraded" }, "note closed"],
    [{ lagMs: 1_001 }, "warn lagging"],
    [{ lagMs: null }, "ok serving"],
    [{ warmth: 0.5 }, "note warming up"],
    [{ health: "unknown" }, "warn unknown"],
  ] as const) {
    it(`is ${said} with ${JSON.stringify(change)}`, () => {
      const { weight, word } = conditionOf({ ...SERVING, ...change }, LIMITS);
      assert.equal(`${weight} ${word}`, said);
    });
  }
});

describe("the headline", () => {
  for (const [what, status, seen, said] of [
    ["is calm", STATUS, regions(), "ok All 2 regions serve."],
    ["names who is down", STATUS, regions({ health: "down" }), "crit eu is down. 1 of 2 regions serve."],
    [
      "tells a drain",
      STATUS,
      regions({ admission: "draining" }),
      "note eu is draining. 1 of 2 regions serve.",
    ],
    [
      "says first that writes are refused",
      { ...STATUS, writeRegion: "eu" },
      regions({ health: "down" }),
      "crit The write region eu is down. Writes are refused.",
    ],
    [
      "says that nobody serves",
      STATUS,
      [{ ...SERVING, health: "down" }] as const,
      "crit No region is up and open.",
    ],
  ] as const) {
    it(what, () => {
      const { weight, text } = headlineOf(status, seen);
      assert.equal(`${weight} ${text}`, said);
    });
  }
});

test("an edge's word is the present for five seconds", () => {
  assert.equal(staleMs(null, 9_000), null);
  assert.equal(staleMs(1_000, 6_000), null);
  assert.equal(staleMs(1_000, 13_000), 12_000);
});

test("numbers and times read as people say them", () => {
  assert.deepEqual([null, 1.24, 84.3, 12_000].map(milliseconds), ["–", "1.2 ms", "84 ms", "12 s"]);
  assert.deepEqual([0, 59_000, 185_000, 7_800_000, 3_600_000].map(duration), [
    "0 s",
    "59 s",
    "3 min 5 s",
    "2 h 10 min",
    "1 h",
  ]);
  assert.deepEqual([0, 0.004, 0.43, 0.999, 1].map(percent), ["0 %", "<1 %", "43 %", ">99 %", "100 %"]);
  assert.equal(listed(["a", "b", "c"]), "a, b and c");
  assert.equal(fromNow("2026-01-01T00:00:10Z", Date.parse("2026-01-01T00:00:00Z")), "in 10 s");
});

describe("the reader of the event stream", () => {
  it("gives an event when all of it is there, in whatever pieces it came", () => {
    const reader = new MessageReader();
    const stream =
      'retry: 2000\n\n:\n\nid: 1\nevent: redisState\ndata: {"up":true}\n\nevent: x\r\ndata: 1\r\n\r\n';
    const found = [...stream].flatMap((letter) => reader.read(letter));
    assert.deepEqual(found, [
      { event: "redisState", data: '{"up":true}' },
      { event: "x", data: "1" },
    ]);
  });
});

describe("what happens, in words", () => {
  for (const name of FEED_EVENTS) {
    it(`has words for ${name}`, () => {
      const { text } = happening(1, name, { at: "2026-01-01T00:00:00Z" });
      assert.notEqual(text, name);
    });
  }

  it("shows an event that it does not know as it came", () => {
    const { text, detail } = happening(1, "brandNew", { at: "", region: "eu" });
    assert.deepEqual([text, detail], ["brandNew", '{"region":"eu"}']);
  });

  it("leaves a word alone that it does not know", () => {
    assert.deepEqual([reasonText("by_magic"), obstacleText("odd")], ["by magic", "odd"]);
  });
});

describe("the map", () => {
  it("puts places where they are", () => {
    const [london, sydney, newYork] = [project([51.5, 0]), project([-33.9, 151.2]), project([40.7, -74])];
    assert.ok(newYork.x < london.x && london.x < sydney.x);
    assert.ok(london.y < newYork.y && newYork.y < sydney.y);
    for (const { x, y } of [london, sydney, newYork])
      assert.ok(x > 0 && x < MAP.width && y > 0 && y < MAP.height);
  });

  it("keeps labels off each other, and inside", () => {
    const places = [
      [100, 60],
      [130, 62],
      [160, 75],
      [390, 190],
    ] as const;
    const markers = places.map(([x, y]) => ({ id: `${x}`, x, y, width: 80, height: 30 }));
    const boxes = [...placeLabels(markers, { width: 400, height: 200 }).values()];
    assert.equal(boxes.length, 4);
    for (const [index, a] of boxes.entries()) {
      assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.width <= 400 && a.y + a.height <= 200);
      for (const b of boxes.slice(index + 1))
        assert.ok(
          a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y,
        );
    }
  });

  it("keeps labels off what else is on the map, as long as there is room", () => {
    const marker = { id: "eu", x: 200, y: 100, width: 80, height: 30 };
    const frame = { width: 400, height: 200 };
    const at = (...dots: readonly { x: number; y: number }[]) => placeLabels([marker], frame, dots).get("eu");
    assert.deepEqual(at(), { x: 212, y: 85, width: 80, height: 30 });
    assert.deepEqual(at({ x: 230, y: 100 }), { x: 160, y: 58, width: 80, height: 30 });
    const around = [60, 100, 140].flatMap((y) => [130, 200, 270].map((x) => ({ x, y })));
    assert.deepEqual(at(...around), at(), "and else off other labels only");
  });
});

describe("what was known of a user", () => {
  const facts = {
    intent: "read",
    jurisdictions: null,
    affinity: "eu",
    movedMs: null,
    identified: true,
    chance: 0,
  } as const;
  const hold = { positions: [], open: false, regions: [] };
  const to = (reason: string) => ({ kind: "routed", region: "eu", reason, consistency: null }) as const;
  for (const [decision, pin, held, identified, said] of [
    [to("latency"), "free", null, false, "is nobody it knows"],
    [to("pin"), "pinned", hold, true, "has just written"],
    [to("pin"), "unasked", hold, true, "has just written"],
    [to("latency"), "unasked", null, true, "was not looked up: it would change nothing"],
    [to("affinity"), "pinned", hold, true, "has just written, and eu has all of it"],
    [{ ...to("latency"), consistency: "stale" }, "pinned", hold, true, "has just written"],
    [{ kind: "refused", fault: "writer_down" }, "pinned", hold, true, "has just written"],
  ] as const)
    it(`is ${said}, with the pin ${pin}, ${decision.kind === "routed" ? `because of ${decision.reason}` : "refused"}`, () => {
      assert.equal(userText({ decision, facts: { ...facts, identified }, pin, hold: held }), said);
    });
});
