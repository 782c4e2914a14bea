import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Clock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { EventBus } from "../../src/events.ts";
import { type AdmissionRecord, AdmissionStore } from "../../src/fleet/admissions.ts";
import { Calendar } from "../../src/fleet/calendar.ts";
import { cronOf, windowFrom } from "../../src/fleet/calendar-windows.ts";
import { DrillDuty, type DrillDutyParts } from "../../src/fleet/drill-duty.ts";
import { Maintenance } from "../../src/fleet/maintenance.ts";
import { type MaintenanceEntry, standingOf } from "../../src/fleet/maintenance-words.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";
import { SharedAway } from "../../src/fleet/shared-hash.ts";

/** A Sunday. */
const DAY = "2027-01-03T";
const at = (time: string) => Date.parse(`${DAY}${time}Z`);

const SUNDAYS = "{ region: eu, cron: 0 2 * * 0, lasts: 30m, action: drain, reason: backups }";

function configOf(...entries: readonly string[]): Config {
  const loaded = parseConfig(
    `regions:
  us: { role: writer, endpoints: [http://10.0.0.1:80] }
  eu: { role: replica, endpoints: [http://10.0.0.2:80] }
schedule: { maintenance: [${entries.join(", ")}] }`,
    {},
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function entryOf(text: string): MaintenanceEntry {
  const [entry] = configOf(text).schedule.maintenance;
  if (entry === undefined) throw new Error("no entry");
  return entry;
}

/** Drills have tests of their own. */
const NO_DRILLS: DrillDutyParts["drills"] = {
  present: null,
  hasBegun: () => false,
  outlook: () => ({ obstacle: null, objections: [], warnings: [], moves: [], load: [] }),
  begin: async () => assert.fail("there is no drill to begin"),
};

describe("the window that an instant is in, or the next", () => {
  const berlin = "{ region: eu, cron: 30 2 * * *, lasts: 90m, action: drain, timezone: Europe/Berlin }";
  const rows: [string, string, string, string][] = [
    ["is the next before it begins", SUNDAYS, `${DAY}01:59:59.999Z`, "2027-01-03T02:00Z 30"],
    ["is it at its beginning", SUNDAYS, `${DAY}02:00:00Z`, "2027-01-03T02:00Z 30"],
    ["is it until its end", SUNDAYS, `${DAY}02:29:59.999Z`, "2027-01-03T02:00Z 30"],
    ["is the next from its end", SUNDAYS, `${DAY}02:30:00Z`, "2027-01-10T02:00Z 30"],
    ["is none in the night without it", berlin, "2027-03-28T01:10:00Z", "2027-03-29T00:30Z 90"],
    ["is one in the night that has it twice", berlin, "2027-10-31T01:30:00Z", "2027-10-31T00:30Z 90"],
    ["is over when the hour comes again", berlin, "2027-10-31T02:00:00Z", "2027-11-01T01:30Z 90"],
  ];
  for (const [name, text, instant, expected] of rows) {
    it(name, () => {
      const entry = entryOf(text);
      const window = windowFrom(entry, cronOf(entry), Date.parse(instant));
      const { startWallMs = 0, endWallMs = 0 } = window ?? {};
      const start = new Date(startWallMs).toISOString().replace(":00.000", "");
      assert.equal(`${start} ${(endWallMs - startWallMs) / 60_000}`, expected);
    });
  }
});

describe("how a window stands", () => {
  const window = { id: "eu|0 2 * * 0|X", startWallMs: 1_000, endWallMs: 2_000 };
  const said = (given: Partial<AdmissionRecord>): AdmissionRecord => ({
    state: "open",
    reason: "",
    by: "ops",
    sinceWallMs: 500,
    deadlineWallMs: null,
    ...given,
  });
  const other = { id: "eu|other|Y", endWallMs: 1_200 };
  const rows: [string, AdmissionRecord | undefined, string][] = [
    ["when nobody has said anything", undefined, "due"],
    ["when the region was opened before its start", said({}), "due"],
    ["when the region was opened at its start", said({ sinceWallMs: 1_000 }), "overruled"],
    ["when an operator drains", said({ state: "draining" }), "taken"],
    ["when an operator has closed since", said({ state: "closed", sinceWallMs: 1_500 }), "taken"],
    ["when it was begun", said({ state: "draining", by: "calendar", window }), "begun"],
    ["when it was ended", said({ by: "calendar", window, sinceWallMs: 1_500 }), "ended"],
    ["when it was ended by a slow clock", said({ window, sinceWallMs: 900 }), "ended"],
    ["when another window is in force", said({ state: "closed", by: "calendar", window: other }), "taken"],
    ["when another window has ended", said({ by: "calendar", window: other, sinceWallMs: 1_500 }), "due"],
    ["when an operator ended another window", said({ window: other, sinceWallMs: 1_500 }), "overruled"],
  ];
  for (const [name, last, expected] of rows) {
    it(`is ${expected} ${name}`, () => assert.equal(standingOf(window, last), expected));
  }
});

describe("a calendar", () => {
  const calendars: Calendar[] = [];
  afterEach(async () => {
    for (const calendar of calendars.splice(0)) await calendar.close();
  });

  /** An edge's calendar, at a time that the test sets. */
  function calendarOf(
    config: Config,
    time: string,
    admissions: AdmissionStore = new AdmissionStore(new MemoryHash()),
    objection: string | null = null,
  ) {
    const clock: Clock & { wallMs: number } = { wallMs: at(time), now: () => 0, wall: () => clock.wallMs };
    const events = new EventBus();
    const told: string[] = [];
    events.on("audited", ({ who, what, target, result }) => told.push(`${who} ${what} ${target} ${result}`));
    events.on("warned", ({ what, detail }) => told.push(`${what}: ${detail}`));
    events.on("maintenanceBegan", ({ region, admission, until, why }) =>
      told.push(`began ${region} ${admission} ${until} ${why}`),
    );
    events.on("maintenanceEnded", ({ region, by }) => told.push(`ended ${region} ${by}`));
    const maintenance = new Maintenance({ events, admissions, objection: () => objection });
    const drills = new DrillDuty({ events, drills: NO_DRILLS });
    const calendar = new Calendar({ clock, events, maintenance, drills });
    calendars.push(calendar);
    calendar.configure(config);
    const lookAt = async (next: string) => {
      clock.wallMs = at(next);
      await calendar.look();
      return told.splice(0);
    };
    return { calendar, admissions, lookAt, clock };
  }

  const operator = (state: AdmissionRecord["state"], time: string): AdmissionRecord => ({
    state,
    reason: "by hand",
    by: "ops",
    sinceWallMs: at(time),
    deadlineWallMs: null,
  });

  it("drains at the beginning of a window and opens at its end", async () => {
    const { admissions, lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00");
    assert.deepEqual(await lookAt("01:59:59"), []);
    assert.deepEqual(await lookAt("02:00:00"), [
      "began eu draining 2027-01-03T02:30:00.000Z backups",
      "calendar drain eu done",
    ]);
    assert.deepEqual(admissions.get().get("eu"), {
      state: "draining",
      reason: "backups",
      by: "calendar",
      sinceWallMs: at("02:00:00"),
      deadlineWallMs: null,
      window: { id: "eu|0 2 * * 0|2027-01-03T02:00:00.000Z", endWallMs: at("02:30:00") },
    });
    assert.deepEqual(await lookAt("02:29:59"), []);
    assert.deepEqual(await lookAt("02:30:00"), ["ended eu calendar", "calendar undrain eu done"]);
    assert.equal(admissions.get().get("eu")?.state, "open");
    assert.deepEqual(await lookAt("02:30:01"), []);
  });

  it("begins a window once, however many edges try", async () => {
    const store = new AdmissionStore(new MemoryHash());
    const [one, two] = [
      calendarOf(configOf(SUNDAYS), "01:00:00", store),
      calendarOf(configOf(SUNDAYS), "01:00:00", store),
    ];
    const told = [...(await one.lookAt("02:00:00")), ...(await two.lookAt("02:00:01"))];
    assert.equal(told.filter((line) => line === "calendar drain eu done").length, 1);
    const ended = [...(await two.lookAt("02:30:00")), ...(await one.lookAt("02:30:01"))];
    assert.equal(ended.filter((line) => line === "calendar undrain eu done").length, 1);
  });

  it("begins what is on already when it comes late", async () => {
    const { lookAt } = calendarOf(configOf(SUNDAYS), "02:20:00");
    assert.equal((await lookAt("02:20:00")).at(-1), "calendar drain eu done");
  });

  it("lets an operator's undrain stand", async () => {
    const { admissions, lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00");
    await lookAt("02:00:00");
    await admissions.set("eu", operator("open", "02:10:00"));
    assert.deepEqual(await lookAt("02:10:01"), ["ended eu ops"]);
    assert.deepEqual(await lookAt("02:30:00"), []);
    assert.equal(admissions.get().get("eu")?.by, "ops");
  });

  it("lets an operator's close stand beyond the end", async () => {
    const { admissions, lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00");
    await lookAt("02:00:00");
    await admissions.set("eu", operator("closed", "02:10:00"));
    await lookAt("02:30:00");
    assert.equal(admissions.get().get("eu")?.state, "closed");
  });

  it("leaves a region alone that an operator has drained before, and says so once", async () => {
    const { admissions, lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00");
    await admissions.set("eu", operator("draining", "01:30:00"));
    assert.deepEqual(await lookAt("02:00:00"), [
      "maintenance put off: eu is out of service already, by ops: by hand",
    ]);
    assert.deepEqual(await lookAt("02:00:01"), []);
    assert.deepEqual(await lookAt("02:30:00"), []);
    assert.equal(admissions.get().get("eu")?.state, "draining");
  });

  it("is refused what the admin API would refuse, once, and says why", async () => {
    const store = new AdmissionStore(new MemoryHash());
    const { lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00", store, "eu is the last");
    assert.deepEqual(await lookAt("02:00:00"), [
      "maintenance refused: eu stays open: eu is the last",
      "calendar drain eu refused",
    ]);
    assert.deepEqual(await lookAt("02:00:01"), []);
    assert.equal(store.get().size, 0);
    assert.deepEqual(await lookAt("02:30:00"), []);
  });

  it("does not make up for a window that passed while it slept, and says so", async () => {
    const { admissions, lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00");
    assert.deepEqual(await lookAt("03:00:00"), [
      "maintenance missed: eu: nobody could begin eu|0 2 * * 0|2027-01-03T02:00:00.000Z in its time",
    ]);
    assert.equal(admissions.get().size, 0);
  });

  it("tries until the store takes it, and says when it never did", async () => {
    class AwayStore extends AdmissionStore {
      isAway = true;
      override async setAfter(...given: Parameters<AdmissionStore["setAfter"]>): Promise<boolean> {
        if (this.isAway) throw new SharedAway("away");
        return super.setAfter(...given);
      }
    }
    const store = new AwayStore(new MemoryHash());
    const { lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00", store);
    assert.deepEqual(await lookAt("02:00:00"), []);
    const sleeper = calendarOf(configOf(SUNDAYS), "02:00:00", store);
    assert.deepEqual(await sleeper.lookAt("02:00:00"), []);
    assert.match((await sleeper.lookAt("02:30:00")).join(), /^maintenance missed/);
    store.isAway = false;
    assert.equal((await lookAt("02:20:00")).at(-1), "calendar drain eu done");
  });

  it("keeps a window to its end when its entry is gone", async () => {
    const { calendar, admissions, lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00");
    await lookAt("02:00:00");
    calendar.configure(configOf());
    assert.deepEqual(await lookAt("02:29:00"), []);
    assert.deepEqual(await lookAt("02:30:00"), ["ended eu calendar", "calendar undrain eu done"]);
    assert.equal(admissions.get().get("eu")?.state, "open");
  });

  it("shows each entry, when it comes next, and until when it is on", async () => {
    const { calendar, lookAt } = calendarOf(configOf(SUNDAYS), "01:00:00");
    const shown = () =>
      calendar.status().maintenance.map(({ nextWallMs, untilWallMs }) => [nextWallMs, untilWallMs]);
    assert.deepEqual(shown(), [[at("02:00:00"), null]]);
    await lookAt("02:00:00");
    const nextSunday = Date.parse("2027-01-10T02:00:00Z");
    assert.deepEqual(shown(), [[nextSunday, at("02:30:00")]]);
    await lookAt("02:30:00");
    assert.deepEqual(shown(), [[nextSunday, null]]);
  });

  it("puts off a window of a region until another of it has ended", async () => {
    const second = "{ region: eu, cron: 15 2 * * 0, lasts: 1h, action: close }";
    const { admissions, lookAt } = calendarOf(configOf(SUNDAYS, second), "01:00:00");
    await lookAt("02:00:00");
    assert.deepEqual(await lookAt("02:15:00"), [
      "maintenance put off: eu is out of service already, by calendar: backups",
    ]);
    await lookAt("02:30:00");
    assert.equal(admissions.get().get("eu")?.state, "closed");
    await lookAt("03:15:00");
    assert.equal(admissions.get().get("eu")?.state, "open");
  });
});
