import assert from "node:assert/strict";
import { test } from "node:test";
import { decide, verdicts } from "../../src/routing/decide.ts";
import type { Decision } from "../../src/routing/decision.ts";
import type { Position } from "../../src/routing/position.ts";
import { type Case, type Changes, inputsOf } from "./routing-world.ts";

const down = { health: "down" } as const;
const degraded = { health: "degraded" } as const;
const unknown = { health: "unknown" } as const;
const draining = { admission: "draining" } as const;
const closed = { admission: "closed" } as const;
const allDown = { us: down, eu: down, ap: down };
const write = { intent: "write" } as const;
const standby = { role: "standby" } as const;
const stale = { whenWriterDown: "stale" } as const;

const at = (position: number): Position => ({ epoch: 1, at: position.toString(16).padStart(16, "0") });
const has = (applied: Position): Changes => ({ eu: { applied } });
/** Pinned by a write that stands there. */
const held = (position: Position, open = false) => ({
  pin: "pinned" as const,
  hold: { positions: [position], open, regions: [] },
});
/** The second epoch has begun there. */
const promoted = (position: number) => ({
  view: { epoch: 2, promotions: [{ ...at(position), epoch: 2 }] },
});
const wroteIn = (...regions: string[]) => ({
  pin: "pinned" as const,
  hold: { positions: [], open: true, regions },
});
const denies = { writer: false } as const;
const claims = (epoch: number) => ({ writer: true, applied: { ...at(1), epoch } });
const silent = { lagMs: null };
const forwards = { rules: { monotonicReads: { unknownLagMs: 10_000, marginMs: 2_000 } } };
const several = {
  rules: { topology: "multi-writer" as const },
  view: { writeRegion: null },
  changes: { ap: { role: "writer" } } as Changes,
};

const TABLE: readonly (readonly [sentence: string, given: Case, expected: string])[] = [
  // Nothing special.
  ["sends a reader to the nearest region", {}, "eu latency"],
  ["sends a write to the write region", { facts: write }, "us write"],
  [
    "sends a write from a session elsewhere to the write region",
    { facts: { ...write, affinity: "eu" } },
    "us write",
  ],
  [
    "serves static paths from the nearest region, whatever the pin",
    { facts: { intent: "static" }, pin: "pinned" },
    "eu static",
  ],

  // Pins.
  ["keeps a pinned reader with the writer", { pin: "pinned" }, "us pin"],
  ["treats an unreadable pin as a pin", { pin: "unknown" }, "us pin-unknown"],
  ["a pin outranks affinity", { pin: "pinned", facts: { affinity: "eu" } }, "us pin"],
  ["marks a reader whose unknown pin was waived", { pin: "waived" }, "eu latency degraded"],
  [
    "does not mark a waived reader whom the writer serves anyway",
    { pin: "waived", facts: { affinity: "us" } },
    "us affinity",
  ],
  ["keeps a pinned reader with a draining writer", { pin: "pinned", changes: { us: draining } }, "us pin"],
  [
    "refuses a pinned reader when the writer is down",
    { pin: "pinned", changes: { us: down } },
    "refused writer_down",
  ],
  [
    "serves a pinned reader stale when the operator says so",
    { pin: "pinned", changes: { us: down }, rules: stale },
    "eu latency stale",
  ],
  [
    "refuses a possibly pinned reader when the writer is closed",
    { pin: "unknown", changes: { us: closed } },
    "refused writer_down",
  ],

  // Affinity.
  ["keeps a session where it is", { facts: { affinity: "ap" } }, "ap affinity"],
  [
    "keeps a returning reader on a draining region",
    { facts: { affinity: "eu" }, changes: { eu: draining } },
    "eu affinity",
  ],
  ["sends no new session to a draining region", { changes: { eu: draining } }, "us latency"],
  [
    "moves a session when its region is down",
    { facts: { affinity: "eu" }, changes: { eu: down } },
    "us failover",
  ],
  [
    "moves a session when its region is closed",
    { facts: { affinity: "eu" }, changes: { eu: closed } },
    "us latency",
  ],
  ["ignores a session in a region that is gone", { facts: { affinity: "sa" } }, "eu latency"],

  // Health.
  ["fails over when the nearest region is down", { changes: { eu: down } }, "us failover"],
  ["does not serve from a region not yet probed", { changes: { eu: unknown } }, "us failover"],
  ["prefers a healthy region to a degraded one", { changes: { eu: degraded } }, "us failover"],
  [
    "uses a degraded region when there is nothing better",
    { changes: { eu: degraded, us: down, ap: down } },
    "eu latency",
  ],
  [
    "uses a draining region rather than none",
    { changes: { eu: draining, us: down, ap: down } },
    "eu failover",
  ],
  [
    "uses a standby when nothing better is up",
    { changes: { ap: standby, eu: down, us: down } },
    "ap failover",
  ],
  ["does not use a standby while something better is up", { changes: { eu: standby } }, "us latency"],
  [
    "tries the nearest when every region is down",
    { changes: { us: down, eu: down, ap: down } },
    "eu last-resort",
  ],
  [
    "never tries a closed region",
    { changes: { us: down, eu: { ...down, ...closed }, ap: down } },
    "us last-resort",
  ],
  [
    "refuses when every region is down and the operator says so",
    { changes: { us: down, eu: down, ap: down }, rules: { whenAllDown: "refuse" } },
    "refused no_region",
  ],
  ["refuses a write when the writer is down", { facts: write, changes: { us: down } }, "refused writer_down"],
  [
    "tries the writer with a write when every region is down",
    { facts: write, changes: { us: down, eu: down, ap: down } },
    "us write",
  ],
  [
    "refuses a write when the writer is closed",
    { facts: write, changes: { us: closed } },
    "refused writer_down",
  ],

  // Lag.
  [
    "does not serve an identified reader from a lagging replica",
    { changes: { eu: { lagMs: 6_000 } } },
    "us latency",
  ],
  [
    "serves an unknown reader from a lagging replica",
    { changes: { eu: { lagMs: 6_000 } }, facts: { identified: false } },
    "eu latency",
  ],
  [
    "does not trust a replica that hides its lag while others report theirs",
    { changes: { eu: { lagMs: null } } },
    "us latency",
  ],
  [
    "trusts replicas when none reports a lag",
    { changes: { us: { lagMs: null }, eu: { lagMs: null }, ap: { lagMs: null } } },
    "eu latency",
  ],
  [
    "refuses rather than serve an identified reader from replicas that all lag, the writer being down",
    { changes: { us: down, eu: { lagMs: 9_000 }, ap: { lagMs: 9_000 } } },
    "refused no_fresh_region",
  ],
  [
    "serves them stale when the operator says so",
    { changes: { us: down, eu: { lagMs: 9_000 }, ap: { lagMs: 9_000 } }, rules: stale },
    "eu failover stale",
  ],

  // Residency.
  ["keeps a reader in its jurisdiction", { facts: { jurisdictions: ["ap"] } }, "ap residency"],
  ["says latency when the law changed nothing", { facts: { jurisdictions: ["eu", "ap"] } }, "eu latency"],
  [
    "never leaves the jurisdiction, not even by failover",
    { facts: { jurisdictions: ["eu"] }, changes: { eu: down } },
    "refused residency",
  ],
  [
    "refuses a region of the jurisdiction that nothing is known of yet",
    { facts: { jurisdictions: ["eu"] }, changes: { eu: unknown } },
    "refused residency",
  ],
  [
    "keeps a reader on the last region of the jurisdiction while it drains",
    { facts: { jurisdictions: ["eu"] }, changes: { eu: draining } },
    "eu failover",
  ],
  [
    "hopes within the jurisdiction when every region is down",
    { facts: { jurisdictions: ["ap"] }, changes: { us: down, eu: down, ap: down } },
    "ap last-resort",
  ],
  [
    "refuses when that hope has failed",
    { facts: { jurisdictions: ["ap"] }, changes: { us: down, eu: down, ap: down }, tried: ["ap"] },
    "refused residency",
  ],
  [
    "says no_region when the law bars none of those that are down",
    { facts: { jurisdictions: ["us", "eu", "ap"] }, changes: allDown, rules: { whenAllDown: "refuse" } },
    "refused no_region",
  ],
  [
    "a write of a jurisdiction without a region up is refused for residency, wherever the writer is",
    { facts: { ...write, jurisdictions: ["us"] }, changes: { us: down } },
    "refused residency",
  ],
  [
    "a write whose writer is down is refused for that while the jurisdiction has another region",
    { facts: { ...write, jurisdictions: ["us", "eu"] }, changes: { us: down } },
    "refused writer_down",
  ],
  [
    "a write does not wait for a moving write region when its jurisdiction has no region up",
    { facts: { ...write, jurisdictions: ["eu"] }, changes: { eu: down }, view: { moving: true } },
    "refused residency",
  ],
  [
    "a pinned reader of a jurisdiction without a region up is refused for residency",
    { pin: "pinned", facts: { jurisdictions: ["us"] }, changes: { us: down } },
    "refused residency",
  ],
  [
    "a stale answer is not fetched from another jurisdiction either",
    { pin: "pinned", facts: { jurisdictions: ["us"] }, changes: { us: down }, rules: stale },
    "refused residency",
  ],
  [
    "a stale answer is given within the jurisdiction",
    { pin: "pinned", facts: { jurisdictions: ["us", "eu"] }, changes: { us: down }, rules: stale },
    "eu latency stale",
  ],
  [
    "a static file is not fetched from another jurisdiction either",
    { facts: { intent: "static", jurisdictions: ["eu"] }, changes: { eu: down } },
    "refused residency",
  ],
  [
    "refuses when the jurisdiction has no region that may serve",
    { facts: { jurisdictions: ["eu"] }, changes: { eu: closed } },
    "refused residency",
  ],
  ["residency outranks the write rule", { facts: { ...write, jurisdictions: ["eu"] } }, "refused residency"],
  ["residency outranks a pin", { pin: "pinned", facts: { jurisdictions: ["eu"] } }, "refused residency"],
  ["residency outranks affinity", { facts: { affinity: "ap", jurisdictions: ["eu"] } }, "eu latency"],

  // Retries.
  ["a retry goes to the next region", { tried: ["eu"] }, "us retry"],
  ["a retry respects the pin", { pin: "pinned", tried: ["us"] }, "refused writer_down"],
  ["a retry respects residency", { facts: { jurisdictions: ["eu"] }, tried: ["eu"] }, "refused residency"],
  ["ends when every region was tried", { tried: ["us", "eu", "ap"] }, "refused no_region"],

  // Policies.
  ["priority follows the order of the file", { rules: { policy: "priority" } }, "us priority"],
  [
    "priority fails over to the next of the file",
    { rules: { policy: "priority" }, changes: { us: down } },
    "eu failover",
  ],
  [
    "weighted draws by weight: the low lots",
    { rules: { policy: "weighted" }, facts: { chance: 0.2 } },
    "us weight",
  ],
  [
    "weighted draws by weight: the high lots",
    { rules: { policy: "weighted" }, facts: { chance: 0.9 } },
    "ap weight",
  ],
  [
    "weight 0 takes nothing",
    { rules: { policy: "weighted" }, changes: { us: { weight: 0 } }, facts: { chance: 0 } },
    "eu weight",
  ],

  // Slow start.
  [
    "a warming region takes its share",
    { changes: { eu: { warmth: 0.3 } }, facts: { chance: 0.29 } },
    "eu latency",
  ],
  [
    "a warming region passes the rest on",
    { changes: { eu: { warmth: 0.3 } }, facts: { chance: 0.31 } },
    "us latency",
  ],
  [
    "a warming region keeps its sessions",
    { changes: { eu: { warmth: 0.1 } }, facts: { chance: 0.9, affinity: "eu" } },
    "eu affinity",
  ],
  [
    "a warming region serves all when it is alone",
    { changes: { eu: { warmth: 0.1 }, us: down, ap: down }, facts: { chance: 0.9 } },
    "eu latency",
  ],

  // Positions: early release.
  [
    "a pinned reader goes home when home has what was written",
    { ...held(at(10)), changes: has(at(10)) },
    "eu latency",
  ],
  ["and stays with the writer while home is behind", { ...held(at(10)), changes: has(at(9)) }, "us pin"],
  [
    "home is the session's, and another region that has it does not count",
    { ...held(at(10)), facts: { affinity: "ap" }, changes: has(at(10)) },
    "us pin",
  ],
  [
    "a session that has its writes at home is at home",
    { ...held(at(10)), facts: { affinity: "eu" }, changes: has(at(10)) },
    "eu affinity",
  ],
  ["a write in flight holds whatever is applied", { ...held(at(10), true), changes: has(at(99)) }, "us pin"],
  ["nobody is released by a region that says nothing", held(at(10)), "us pin"],
  [
    "nobody is released by a region that speaks of another epoch",
    { ...held(at(10)), changes: has({ ...at(99), epoch: 2 }) },
    "us pin",
  ],
  [
    "what is known here alone releases nobody when the store does not answer",
    { ...held(at(10)), pin: "unknown", changes: has(at(10)) },
    "us pin",
  ],
  [
    "with the writer down, a region that has it is as good",
    { ...held(at(10)), changes: { us: down, ap: { applied: at(10) } } },
    "ap pin",
  ],
  [
    "and one that has not is none",
    { ...held(at(10)), changes: { us: down, ...has(at(9)) } },
    "refused writer_down",
  ],
  [
    "residency keeps a pinned reader where the writer is not, once that region has it",
    { ...held(at(10)), facts: { jurisdictions: ["eu"] }, changes: has(at(10)) },
    "eu latency",
  ],
  [
    "a lagging region releases nobody",
    { ...held(at(10)), changes: { eu: { applied: at(10), lagMs: 6_000 } } },
    "us pin",
  ],

  // Promotions.
  [
    "a write of an older epoch is released by who has applied where the present one began",
    { ...held(at(10)), ...promoted(40), changes: has({ ...at(40), epoch: 2 }) },
    "eu latency",
  ],
  [
    "and is held while that is not reached",
    { ...held(at(10)), ...promoted(40), changes: has({ ...at(39), epoch: 2 }) },
    "us pin",
  ],
  [
    "who has written since is held by that alone, though nobody knows any more where the epoch began",
    {
      pin: "pinned",
      hold: { positions: [at(10), { ...at(42), epoch: 2 }], open: false, regions: [] },
      view: { epoch: 2, promotions: [] },
      changes: has({ ...at(42), epoch: 2 }),
    },
    "eu latency",
  ],
  ["a lost write is said to be lost, at the writer", { ...held(at(41)), ...promoted(40) }, "us pin lost"],
  [
    "and elsewhere",
    { ...held(at(41)), ...promoted(40), changes: has({ ...at(40), epoch: 2 }) },
    "eu latency lost",
  ],
  ["and while another write is in flight", { ...held(at(41), true), ...promoted(40) }, "us pin lost"],
  [
    "of whom nothing is known after a promotion, it may be so",
    { pin: "unknown", ...promoted(40), changes: has({ ...at(40), epoch: 2 }) },
    "us pin-unknown degraded",
  ],
  [
    "and of whom more may be written than is known",
    { ...held(at(40)), pin: "unknown", ...promoted(40), changes: has({ ...at(40), epoch: 2 }) },
    "us pin degraded",
  ],
  [
    "and of whom one write's place is not known",
    { ...held(at(40), true), ...promoted(40), changes: has({ ...at(40), epoch: 2 }) },
    "us pin degraded",
  ],
  [
    "unless no region has positions, by which something could be lost",
    { pin: "unknown", ...promoted(40) },
    "us pin-unknown",
  ],

  // Monotonic reads.
  [
    "a session that has to move reads from the writer first",
    { facts: { affinity: "ap" }, changes: { ap: down }, ...forwards },
    "us pin",
  ],
  [
    "and still does while its new region may lack what the old one had",
    { facts: { affinity: "eu", movedMs: 2_499 }, changes: { eu: { lagMs: 500 } }, ...forwards },
    "us pin",
  ],
  [
    "and no longer when that is over",
    { facts: { affinity: "eu", movedMs: 2_500 }, changes: { eu: { lagMs: 500 } }, ...forwards },
    "eu affinity",
  ],
  [
    "for as long as a window when nobody says how far he lags",
    {
      facts: { affinity: "eu", movedMs: 11_999 },
      changes: { us: silent, eu: silent, ap: silent },
      ...forwards,
    },
    "us pin",
  ],
  [
    "without a writer it goes at once, and is told that it may go back",
    { facts: { affinity: "ap" }, changes: { ap: down, us: down }, ...forwards },
    "eu failover degraded",
  ],
  ["a new session goes home at once", forwards, "eu latency"],
  [
    "a reader whose new home has what he wrote waits there for what others wrote, too",
    { ...held(at(10)), facts: { affinity: "ap" }, changes: { ap: down, ...has(at(10)) }, ...forwards },
    "us pin",
  ],
  [
    "and is told that he may not find it when there is no writer",
    {
      ...held(at(10)),
      facts: { affinity: "ap" },
      changes: { ap: down, us: down, ...has(at(10)) },
      ...forwards,
    },
    "eu pin degraded",
  ],
  [
    "and every session does, unless asked for",
    { facts: { affinity: "ap" }, changes: { ap: down } },
    "eu failover",
  ],

  // A write region that is one no longer, while nobody here knows which is.
  [
    "a write region that denies it takes no write",
    { facts: write, changes: { us: denies } },
    "refused writer_down",
  ],
  [
    "nor one that another contradicts, in a newer epoch",
    { facts: write, changes: { ap: claims(2) } },
    "refused writer_down",
  ],
  [
    "in the same epoch nobody is believed but the fleet",
    { facts: write, changes: { ap: claims(1) } },
    "us write",
  ],
  [
    "what it said in an older epoch is no denial",
    { facts: write, changes: { us: { ...denies, applied: at(1) } }, view: { epoch: 2 } },
    "us write",
  ],
  ["it holds no pinned reader", { pin: "pinned", changes: { us: denies } }, "refused writer_down"],
  [
    "who may be pinned and is let go there is told so",
    { pin: "waived", facts: { affinity: "us" }, changes: { us: denies } },
    "us affinity degraded",
  ],
  [
    "nobody is let go while it moves",
    { ...held(at(10)), changes: has(at(10)), view: { moving: true } },
    "us pin",
  ],
  ["writes wait while it moves", { facts: write, view: { moving: true } }, "refused writer_moving"],

  // Several writers.
  [
    "with several writers a read goes where its user wrote",
    { ...wroteIn("ap"), facts: { affinity: "us" }, ...several },
    "ap pin",
  ],
  ["and so does the next write", { ...wroteIn("ap"), facts: write, ...several }, "ap write"],
  [
    "a read is refused while that region is down",
    { ...wroteIn("ap"), rules: several.rules, changes: { ap: { role: "writer", ...down } } },
    "refused writer_down",
  ],
  [
    "or served elsewhere, and says so, when the operator says so",
    {
      ...wroteIn("ap"),
      rules: { ...several.rules, ...stale },
      changes: { ap: { role: "writer", ...down } },
    },
    "us pin stale",
  ],
  [
    "a write goes on elsewhere, and says so",
    { ...wroteIn("ap"), facts: write, rules: several.rules, changes: { ap: { role: "writer", ...down } } },
    "us write stale",
  ],
  [
    "who has written in two regions reads in that of the last write, which may lack the other",
    { ...wroteIn("us", "ap"), ...several },
    "us pin stale",
  ],
  ["who may have written anywhere is told so", { pin: "unknown", ...several }, "us pin-unknown degraded"],
  [
    "positions of several writers release nobody",
    { ...held(at(1)), ...several, changes: { ...several.changes, ...has(at(9)) } },
    "us pin",
  ],
  [
    "with several writers a write goes to the nearest",
    { facts: write, rules: { topology: "multi-writer" }, changes: { ap: { role: "writer" } } },
    "us write",
  ],
  [
    "with several writers a write stays in its session's region",
    {
      facts: { ...write, affinity: "ap" },
      rules: { topology: "multi-writer" },
      changes: { ap: { role: "writer" } },
    },
    "ap write",
  ],
];

for (const [sentence, given, expected] of TABLE) {
  test(sentence, () => assert.equal(say(decide(inputsOf(given))), expected));
}

test("explains every region that was not chosen", () => {
  const inputs = inputsOf({ facts: { jurisdictions: ["eu", "us"] }, changes: { us: draining } });
  assert.deepEqual(verdicts(decide(inputs), inputs), [
    { region: "us", obstacle: "draining" },
    { region: "eu", obstacle: null },
    { region: "ap", obstacle: "residency" },
  ]);
});

test("explains a write by who may write", () => {
  const inputs = inputsOf({ facts: write });
  assert.deepEqual(
    verdicts(decide(inputs), inputs).map(({ obstacle }) => obstacle),
    [null, "not-writer", "not-writer"],
  );
});

function say(decision: Decision): string {
  if (decision.kind === "refused") return `refused ${decision.fault}`;
  const { region, reason, consistency } = decision;
  return [region, reason, consistency].filter((word) => word !== null).join(" ");
}
