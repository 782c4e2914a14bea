import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { Clock } from "../../src/clock.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { EventBus } from "../../src/events.ts";
import { AdmissionStore } from "../../src/fleet/admissions.ts";
import { Calendar } from "../../src/fleet/calendar.ts";
import { begunDrill, type Drill, type DrillState, type DrillWindow } from "../../src/fleet/drill.ts";
import { DrillDuty, type DrillDutyParts } from "../../src/fleet/drill-duty.ts";
import { type DrillWish, NotBegun } from "../../src/fleet/drill-wish.ts";
import { Maintenance } from "../../src/fleet/maintenance.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";
import { SharedAway } from "../../src/fleet/shared-hash.ts";

/** Wednesdays at ten, for ten minutes. */
const WEDNESDAYS = "{ region: eu, cron: 0 10 * * 3, lasts: 10m, reason: weekly }";
const at = (time: string, day = "2027-01-06") => Date.parse(`${day}T${time}Z`);
const STARTED = "2027-01-06T10:00:00.000Z";

function configOf(...entries: readonly string[]): Config {
  const loaded = parseConfig(
    `regions:
  us: { role: writer, endpoints: [http://10.0.0.1:80] }
  eu: { role: replica, endpoints: [http://10.0.0.2:80] }
  ap: { role: replica, endpoints: [http://10.0.0.3:80] }
schedule: { drills: [${entries.join(", ")}] }`,
    {},
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

/** What a fleet shares of drills, without the drills. */
class FleetOfDrills {
  state: DrillState = { drill: null, windows: {} };
  isAway = false;
  objection: string | null = null;
  /** Of all edges. */
  readonly begun: string[] = [];

  seenBy(clock: Clock): DrillDutyParts["drills"] {
    const fleet = this;
    const reading = { warnings: [], moves: [], load: [] };
    return {
      get present() {
        return fleet.state.drill;
      },
      hasBegun: ({ line, id }) => this.state.windows[line] === id,
      outlook: () => {
        const { objection } = this;
        const instead = "Wait";
        const against =
          objection === null ? [] : [{ word: "out_of_service", why: objection, instead } as const];
        return { obstacle: null, objections: against, ...reading };
      },
      begin: async (wish, window = null) => this.#begin(wish, window, clock.wall()),
    };
  }

  #begin(wish: DrillWish, window: DrillWindow | null, nowMs: number): Drill {
    if (this.isAway) throw new SharedAway("away");
    const next = begunDrill(drillOf(wish), wish.lastsMs, window)(this.state, nowMs);
    if (next?.drill == null) throw new NotBegun({ word: "not_now", why: "one runs", instead: "Wait" });
    this.state = next;
    this.begun.push(
      `${wish.region} ${wish.kind} by ${wish.who} for ${wish.lastsMs / 1_000} s: ${wish.reason}`,
    );
    return next.drill;
  }

  end(): void {
    this.state = { ...this.state, drill: null };
  }
}

function drillOf({ region, kind, who, reason, forced, abortAbove }: DrillWish): Drill {
  return {
    ...{ id: "d", region, kind, who, reason, forced, abortAbove, by: "edge:x", writeRegion: "us", epoch: 1 },
    ...{ leaseUntilMs: 0, sinceMs: 0, untilMs: 0, window: null, end: null },
  };
}

describe("drills of the calendar", () => {
  const closing: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const each of closing.splice(0)) await each.close();
  });

  /** An edge's calendar, at a time that the test sets. */
  function edgeOf(fleet: FleetOfDrills, config: Config, fromMs: number) {
    const clock: Clock & { wallMs: number } = { wallMs: fromMs, now: () => 0, wall: () => clock.wallMs };
    const events = new EventBus();
    const told: string[] = [];
    events.on("audited", ({ who, what, target, result }) => told.push(`${who} ${what} ${target} ${result}`));
    events.on("warned", ({ what, detail }) => told.push(`${what}: ${detail}`));
    const admissions = new AdmissionStore(new MemoryHash());
    const maintenance = new Maintenance({ events, admissions, objection: () => null });
    const drills = new DrillDuty({ events, drills: fleet.seenBy(clock) });
    const calendar = new Calendar({ clock, events, maintenance, drills });
    closing.push(calendar, maintenance);
    calendar.configure(config);
    const lookAt = async (wallMs: number) => {
      clock.wallMs = wallMs;
      await calendar.look();
      return told.splice(0);
    };
    const shown = () =>
      calendar.status().drills.map(({ nextWallMs, untilWallMs }) => [nextWallMs, untilWallMs]);
    return { lookAt, shown };
  }

  it("begin at their time, once for all edges, and are shown with their next", async () => {
    const fleet = new FleetOfDrills();
    const config = configOf(WEDNESDAYS);
    const [one, two] = [edgeOf(fleet, config, at("09:00:00")), edgeOf(fleet, config, at("09:00:00"))];
    assert.deepEqual(one.shown(), [[at("10:00:00"), null]]);
    assert.deepEqual(await one.lookAt(at("09:59:59")), []);
    assert.deepEqual(await one.lookAt(at("10:00:00")), ["calendar begin-drill eu done"]);
    assert.deepEqual(await two.lookAt(at("10:00:00")), []);
    assert.deepEqual(fleet.begun, ["eu black-hole by calendar for 600 s: weekly"]);
    assert.equal(fleet.state.drill?.window, `eu|0 10 * * 3|${STARTED}`);
    const next = at("10:00:00", "2027-01-13");
    for (const edge of [one, two]) assert.deepEqual(edge.shown(), [[next, at("10:10:00")]]);
    fleet.end();
    assert.deepEqual([...(await one.lookAt(at("10:01:00"))), ...(await two.lookAt(at("10:01:00")))], []);
    assert.deepEqual(one.shown(), [[next, null]]);
    assert.deepEqual(await two.lookAt(next), ["calendar begin-drill eu done"]);
    assert.equal(fleet.begun.length, 2);
  });

  it("begin late while at least half is left, for what is left", async () => {
    const fleet = new FleetOfDrills();
    const { lookAt } = edgeOf(fleet, configOf(WEDNESDAYS), at("10:04:00"));
    assert.deepEqual(await lookAt(at("10:04:00")), ["calendar begin-drill eu done"]);
    assert.deepEqual(fleet.begun, ["eu black-hole by calendar for 360 s: weekly"]);
  });

  it("are missed later, with a word, once", async () => {
    const fleet = new FleetOfDrills();
    const { lookAt } = edgeOf(fleet, configOf(WEDNESDAYS), at("09:00:00"));
    const missed = `drill missed: eu: nobody could begin eu|0 10 * * 3|${STARTED} in its time`;
    assert.deepEqual(await lookAt(at("10:05:00")), [missed]);
    assert.deepEqual(await lookAt(at("10:06:00")), []);
    assert.deepEqual(await lookAt(at("10:20:00")), []);
    const asleep = edgeOf(fleet, configOf(WEDNESDAYS), at("09:00:00"));
    assert.deepEqual(await asleep.lookAt(at("11:00:00")), [missed]);
    assert.deepEqual(fleet.begun, []);
  });

  it("are tried until the shared memory answers", async () => {
    const fleet = new FleetOfDrills();
    fleet.isAway = true;
    const { lookAt } = edgeOf(fleet, configOf(WEDNESDAYS), at("09:00:00"));
    assert.deepEqual(await lookAt(at("10:00:00")), []);
    fleet.isAway = false;
    assert.deepEqual(await lookAt(at("10:00:30")), ["calendar begin-drill eu done"]);
  });

  it("are refused what an operator would be refused, once for each time", async () => {
    const fleet = new FleetOfDrills();
    fleet.objection = "ap is down";
    const { lookAt } = edgeOf(fleet, configOf(WEDNESDAYS), at("09:00:00"));
    assert.deepEqual(await lookAt(at("10:00:00")), [
      "drill refused: eu stays open: ap is down. Wait",
      "calendar begin-drill eu refused",
    ]);
    fleet.objection = null;
    assert.deepEqual(await lookAt(at("10:00:01")), []);
    assert.deepEqual(await lookAt(at("10:00:00", "2027-01-13")), ["calendar begin-drill eu done"]);
  });

  it("wait for the end of another drill, and begin if it is not too late then", async () => {
    const fleet = new FleetOfDrills();
    const soon = "{ region: ap, cron: 2 10 * * 3, lasts: 10m, kind: drain }";
    const { lookAt } = edgeOf(fleet, configOf(WEDNESDAYS, soon), at("09:00:00"));
    await lookAt(at("10:00:00"));
    assert.deepEqual(await lookAt(at("10:02:00")), [
      "drill put off: the drill of ap waits for the end of that of eu",
    ]);
    assert.deepEqual(await lookAt(at("10:03:00")), []);
    fleet.end();
    assert.deepEqual(await lookAt(at("10:04:00")), ["calendar begin-drill ap done"]);
    assert.equal(fleet.begun.at(-1), "ap drain by calendar for 480 s: scheduled drill");
  });

  it("follow a zone through its changes of summer time", async () => {
    const fleet = new FleetOfDrills();
    const nightly = "{ region: eu, cron: 30 2 * * *, lasts: 10m, timezone: Europe/Berlin }";
    const { lookAt, shown } = edgeOf(fleet, configOf(nightly), at("12:00:00", "2027-03-27"));
    // The night of 28 March has no half past two; that of 31 October has two.
    assert.deepEqual(shown(), [[at("00:30:00", "2027-03-29"), null]]);
    assert.deepEqual(await lookAt(at("01:30:00", "2027-03-28")), []);
    const autumn = edgeOf(fleet, configOf(nightly), at("12:00:00", "2027-10-30"));
    assert.deepEqual(await autumn.lookAt(at("00:30:00", "2027-10-31")), ["calendar begin-drill eu done"]);
    fleet.end();
    assert.deepEqual(await autumn.lookAt(at("01:30:00", "2027-10-31")), []);
    assert.equal(fleet.begun.length, 1);
  });
});
