import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StatusAnswer } from "../../src/admin/messages.ts";
import type { AdmissionAnswer, RegionAnswer } from "../../src/admin/region-messages.ts";
import { admissionText, paint, statusText } from "../../src/cli/render.ts";
import { table } from "../../src/cli/table.ts";

describe("a table for the terminal", () => {
  it("is as wide as its widest cells, numbers to the right, without trailing blanks", () => {
    const columns = [{ title: "REGION" }, { title: "LAG", right: true }, { title: "WHY" }];
    const rows = [
      ["eu", "1000 ms", ""],
      ["us-east-1", "-", "upgrade"],
    ];
    assert.equal(
      table(columns, rows),
      ["REGION         LAG  WHY", "eu         1000 ms", "us-east-1        -  upgrade", ""].join("\n"),
    );
  });

  it("has a head even when it has no rows", () => {
    assert.equal(table([{ title: "REGION" }], []), "REGION\n");
  });
});

describe("colour", () => {
  it("is for words that say how a region is, where they stand alone", () => {
    const painted = paint("down-under  replica  up  open  someone closed it\n");
    assert.equal(painted, "down-under  replica  \u001b[32mup\u001b[39m  open  someone closed it\n");
  });
});

describe("a change of admission in words", () => {
  it("gives shares where traffic is spread, and the fault where it would be refused", () => {
    const answer: AdmissionAnswer = {
      region: "eu",
      dryRun: true,
      before: "open",
      admission: {
        state: "closed",
        reason: "x",
        by: "ops",
        since: "2026-01-01T00:00:00.000Z",
        deadline: null,
      },
      affected: {
        sessions: null,
        pins: 2,
        tunnels: 1,
        streams: 0,
        requestsInFlight: 3,
        estimatedEnd: null,
      },
      load: [
        { region: "eu", before: 40.5, after: 0, capacity: null },
        { region: "us", before: 12, after: 42.4, capacity: 500 },
      ],
      moves: [
        {
          traffic: "reads",
          jurisdictions: ["eu"],
          before: { regions: [{ region: "eu", share: 1 }], fault: null },
          after: { regions: [], fault: "residency" },
        },
        {
          traffic: "reads",
          jurisdictions: null,
          before: { regions: [{ region: "eu", share: 1 }], fault: null },
          after: {
            regions: [
              { region: "us", share: 0.75 },
              { region: "ap", share: 0.25 },
            ],
            fault: null,
          },
        },
      ],
    };
    assert.equal(
      admissionText(answer),
      [
        "eu is open and would be closed; nothing was changed",
        "there now, at this edge: unknown sessions, 2 pinned users, 1 tunnels, 0 event streams, 3 requests in flight",
        "",
        "NEW TRAFFIC       WENT TO  GOES TO",
        "reads held in eu  eu       refused (residency)",
        "reads             eu       us 75 %, ap 25 %",
        "",
        "REGION  REQUESTS/S  THEN  CAPACITY",
        "eu            40.5     0         -",
        "us              12  42.4       500",
        "",
      ].join("\n"),
    );
  });
});

describe("a drain in words", () => {
  const there = { sessions: 12, pins: 0, tunnels: 3, streams: 1, requestsInFlight: 4 };
  const region: RegionAnswer = {
    id: "eu",
    role: "replica",
    jurisdiction: null,
    location: null,
    weight: 100,
    health: "up",
    admission: "draining",
    operator: null,
    latencyMs: 12,
    lagMs: null,
    fenced: false,
    warmth: 1,
    ...there,
    requestsPerSecond: 0,
    drain: null,
    endpoints: [],
  };
  const status: StatusAnswer = {
    edge: "edge-1",
    version: "0.1.0",
    uptimeSeconds: 61,
    configVersion: 1,
    epoch: 1,
    writeRegion: "us",
    mode: "rw",
    move: null,
    edges: 1,
    workers: 1,
    consistency: "strict",
    redis: "off",
    caller: null,
  };
  const since = "2026-01-01T00:00:00.000Z";
  const rows: [string, RegionAnswer["drain"], string[]][] = [
    ["is not there when nothing drains", null, []],
    [
      "says whom it waits for, until when, and how long that will take",
      { since, deadline: "2026-01-01T00:10:00.000Z", estimatedEnd: "2026-01-01T00:04:00.000Z", ...there },
      [
        "eu drains: 12 sessions, 0 pinned users, 3 tunnels, 1 event streams, 4 requests in flight; " +
          "empty at about 2026-01-01T00:04:00.000Z, closed at 2026-01-01T00:10:00.000Z",
      ],
    ],
    [
      "says that it waits for nobody",
      {
        ...{ since, deadline: null, estimatedEnd: since },
        ...{ sessions: 0, pins: 0, tunnels: 0, streams: 0, requestsInFlight: 0 },
      },
      [
        "eu drains: 0 sessions, 0 pinned users, 0 tunnels, 0 event streams, 0 requests in flight; " +
          "nobody to wait for, no deadline",
      ],
    ],
    [
      "says nothing of an end that nobody knows",
      { since, deadline: null, estimatedEnd: null, ...there, sessions: null },
      [
        "eu drains: unknown sessions, 0 pinned users, 3 tunnels, 1 event streams, 4 requests in flight; no deadline",
      ],
    ],
  ];
  for (const [name, drain, expected] of rows) {
    it(name, () => {
      const lines = statusText(status, [{ ...region, drain }]).split("\n");
      assert.deepEqual(
        lines.filter((line) => line.includes("drains:")),
        expected,
      );
    });
  }
});
