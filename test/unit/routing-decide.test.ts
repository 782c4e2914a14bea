import assert from "node:assert/strict";
import { test } from "node:test";
import { decide, verdicts } from "../../src/routing/decide.ts";
import type { Decision } from "../../src/routing/decision.ts";
import { type Case, inputsOf } from "./routing-world.ts";

const down = { health: "down" } as const;
const degraded = { health: "degraded" } as const;
const unknown = { health: "unknown" } as const;
const draining = { admission: "draining" } as const;
const closed = { admission: "closed" } as const;
const write = { intent: "write" } as const;
const standby = { role: "standby" } as const;
const stale = { whenWriterDown: "stale" } as const;

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
    "eu last-resort",
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

  // Several writers.
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
