import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuditLine, EventBus } from "../../src/events.ts";
import { ResidencyWatch } from "../../src/observe/residency-watch.ts";
import { eventually } from "../support/eventually.ts";
import { record } from "./observe-samples.ts";
import { type Case, inputsOf } from "./routing-world.ts";

const LONG_MS = 60_000;

function watched(intervalMs: number) {
  const events = new EventBus();
  const audits: AuditLine[] = [];
  const warnings: string[] = [];
  events.on("audited", (line) => audits.push(line));
  events.on("warned", ({ what, detail }) => warnings.push(`${what}: ${detail}`));
  const watch = new ResidencyWatch(events, intervalMs);
  const refuse = (facts: Case["facts"], changes: Case["changes"] = { eu: { health: "down" } }) =>
    events.emit(
      "requestDone",
      record({ fault: "residency", inputs: inputsOf({ facts: { ...facts }, changes }) }),
    );
  return { events, audits, warnings, watch, refuse };
}

test("the first refusal is audited and warned of at once, with what ails the jurisdiction's regions", () => {
  const { audits, warnings, watch, refuse } = watched(LONG_MS);
  refuse({ jurisdictions: ["eu"] });
  assert.deepEqual(audits, [
    {
      who: "meridian",
      what: "residency-refused",
      target: "eu",
      before: null,
      after: { requests: 1 },
      why: "eu: down",
      result: "refused",
    },
  ]);
  assert.deepEqual(warnings, [
    "residency refused: 1 of users held in eu were refused rather than served elsewhere: eu: down",
  ]);
  watch.close();
});

test("a flood of refusals is one line and a count, for each list of jurisdictions", () => {
  const { audits, watch, refuse } = watched(LONG_MS);
  for (let i = 0; i < 1_000; i += 1) refuse({ jurisdictions: ["eu"] });
  refuse({ intent: "write", jurisdictions: ["ap"] }, {});
  assert.deepEqual(
    audits.map(({ target, why }) => `${target}: ${why}`),
    ["eu: eu: down", "ap: ap: not-writer"],
  );
  watch.close();
  assert.deepEqual(
    audits.slice(2).map(({ target, after }) => [target, after]),
    [["eu", { requests: 999 }]],
  );
});

test("what was counted is told when its time has come, and then there is silence", async () => {
  const { audits, watch, refuse } = watched(50);
  refuse({ jurisdictions: ["eu"] });
  refuse({ jurisdictions: ["eu"] });
  refuse({ jurisdictions: ["eu"] });
  await eventually(() => audits.length === 2);
  assert.deepEqual(audits[1]?.after, { requests: 2 });
  watch.close();
  assert.equal(audits.length, 2);
});

test("requests that fail for another reason are not audited", () => {
  const { events, audits, watch } = watched(LONG_MS);
  events.emit("requestDone", record({ fault: "no_region", inputs: inputsOf({}) }));
  events.emit("requestDone", record({ fault: null, inputs: inputsOf({ facts: { jurisdictions: ["eu"] } }) }));
  watch.close();
  assert.deepEqual(audits, []);
});
