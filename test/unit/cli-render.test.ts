import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AdmissionAnswer } from "../../src/admin/messages.ts";
import { admissionText, paint } from "../../src/cli/render.ts";
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
      affected: { sessions: null, requestsInFlight: 3, tunnels: 1 },
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
        "there now: unknown sessions, 3 requests in flight, 1 tunnels",
        "",
        "NEW TRAFFIC       WENT TO  GOES TO",
        "reads held in eu  eu       refused (residency)",
        "reads             eu       us 75 %, ap 25 %",
        "",
      ].join("\n"),
    );
  });
});
