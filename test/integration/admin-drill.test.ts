import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { run, squeezed } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { type AdminEdge, adminEdge, listen, recordOf, setHealth } from "./admin-edge.ts";

describe("drills by the admin API and the command line, at a lone edge", () => {
  let edge: AdminEdge;
  let admin: string[];
  before(async () => {
    edge = await adminEdge();
    admin = ["--admin", edge.url];
  });
  after(() => edge.close());

  const drill = (...args: string[]) => run(["drill", ...args, ...admin]);
  const list = async () => (await edge.call("GET", "/v1/drills")).json;
  const ended = () => eventually(async () => (await list()).running === null);
  const audited = (what: string) => edge.audits.filter((line) => line.what === what);

  it("begin with nothing, and say what would move", async () => {
    const { out, exitStatus } = await drill("--list");
    assert.deepEqual([out, exitStatus], ["no drill runs\nno drill has ended yet\n", 0]);
    const dry = await drill("eu-west", "--lasts", "2m", "--dry-run");
    assert.match(
      squeezed(dry.out),
      /^a drill of eu-west could begin; nothing was changed\n\nNEW TRAFFIC.*\nreads {2}eu-west {2}us-east\n/,
    );
    assert.equal((await list()).running, null);
    assert.equal(audited("begin-drill").at(-1)?.result, "dry-run");
  });

  it("run, are shown to everybody, and end by their time with a report that --wait prints", async () => {
    const stream = await listen(edge.url);
    const waiting = drill("eu-west", "--lasts", "1s", "--kind", "drain", "--reason", "a test", "--wait");
    const { running } = await eventually(async () => {
      const answer = await list();
      return answer.running !== null && answer;
    });
    assert.deepEqual(
      [
        running.region,
        running.kind,
        running.who,
        running.reason,
        running.by,
        running.scheduled,
        running.ended,
      ],
      ["eu-west", "drain", "local", "a test", "edge-1", false, false],
    );
    assert.equal(edge.table.view.byId.get("eu-west")?.admission, "closed");
    edge.events.emit("requestDone", recordOf(null, { region: "us-east", durationMs: 5, attempts: [] }));
    assert.match(
      (await drill("--list")).out,
      /^the drill \w{8} of eu-west \(drain, for local\) runs until .*; 1 requests so far, 0 lost\n/,
    );
    const { out, exitStatus } = await waiting;
    assert.equal(exitStatus, 0);
    assert.match(out, /^the drill \w{8} of eu-west \(drain\) runs until /);
    assert.match(out, /\nthe drill \w{8} of eu-west \(drain\) has passed: its time was over\n/);
    assert.match(
      squeezed(out),
      /\nEDGE {2}DETECTED .*\nedge-1 {2}0\.\d s {2}0\.\d s {2}unhurt {2}1 {2}0 {2}0 {2}0 {2}0\nall {2}/,
    );
    assert.equal(edge.table.view.byId.get("eu-west")?.admission, "open");
    await eventually(() => stream.seen.some(({ event }) => event === "drillEnded"));
    stream.stop();
    const told = stream.seen.filter(({ event }) => event.startsWith("drill"));
    assert.deepEqual(
      told.map(({ event, data }) => `${event} ${data.region} ${data.result ?? ""}`),
      ["drillBegan eu-west ", "drillEnded eu-west passed"],
    );
    const [end] = audited("end-drill");
    assert.deepEqual([end?.who, end?.target, end?.why], ["local", "eu-west", "its time was over"]);
  });

  it("are one at a time, and stopped with a reason", async () => {
    assert.equal((await drill("ap-south", "--lasts", "10m", "--json")).exitStatus, 0);
    const second = await drill("eu-west", "--lasts", "1m", "--force");
    assert.equal(second.exitStatus, 1);
    assert.match(second.err, /^error: a drill of ap-south runs\. .*meridian drill --stop\n$/);
    const dry = await drill("--stop", "--dry-run");
    assert.match(dry.out, /^the drill \w{8} of ap-south would end; nothing was changed\n$/);
    assert.notEqual((await list()).running, null);
    const stopped = await drill("--stop", "--reason", "seen enough");
    assert.match(stopped.out, /^the drill \w{8} of ap-south ends; its report follows within seconds\n$/);
    await ended();
    const [last] = (await list()).history;
    assert.deepEqual(
      [last.result, last.why, last.endedBy, last.kind],
      ["stopped", "seen enough", "local", "black-hole"],
    );
    const again = await drill("--stop");
    assert.deepEqual([again.exitStatus, again.err], [1, "error: there is no drill to stop\n"]);
    const listed = squeezed((await drill("--list")).out);
    assert.match(
      listed,
      /^no drill runs\n\nDRILL {2}BEGAN .* BY\n\w{8} {2}\S+ {2}ap-south {2}black-hole {2}stopped /,
    );
  });

  it("end with status 1 when they hurt too much", async () => {
    const waiting = drill("eu-west", "--lasts", "10m", "--abort-above", "0.5", "--wait", "--json");
    await eventually(async () => (await list()).running !== null);
    const lost = recordOf(null, {
      status: 503,
      fault: "writer_down",
      region: null,
      attempts: [],
      durationMs: 1,
    });
    for (let n = 0; n < 60; n += 1) edge.events.emit("requestDone", lost);
    const { out, exitStatus } = await waiting;
    assert.equal(exitStatus, 1);
    const report = JSON.parse(out);
    assert.deepEqual(
      [report.result, report.why, report.lost],
      ["aborted", "60 of 60 requests failed, more than 50 %", 60],
    );
    assert.equal(audited("abort-drill").length, 1);
  });

  it("are refused with all that speaks against them, and begun by force", async () => {
    setHealth(edge, "ap-south", false);
    const refused = await edge.call("POST", "/v1/drills", {
      body: { region: "us-east", lasts: "1m", reason: "x" },
    });
    assert.deepEqual([refused.status, refused.json.fault], [409, "write_region"]);
    assert.match(
      refused.json.detail,
      /^us-east takes the writes.*ap-south is down\. Wait .*, or repeat with force$/,
    );
    assert.equal(refused.json.objections.length, 2);
    assert.equal(refused.json.moves[0].traffic, "reads");
    const line = audited("begin-drill").at(-1);
    assert.deepEqual(
      [line?.result, line?.target, line?.fault, line?.why],
      ["refused", "us-east", "write_region", "x"],
    );
    const forced = await drill("eu-west", "--lasts", "1m", "--force", "--dry-run");
    assert.match(
      forced.out,
      /^a drill of eu-west could begin; nothing was changed\nalthough ap-south is down\n/,
    );
    setHealth(edge, "ap-south", true);
  });

  const misuses: [string, string[], RegExp][] = [
    ["without a region", [], /give REGION, --list or --stop/],
    ["with a region and --stop", ["eu-west", "--stop"], /give REGION, --list or --stop/],
    ["without how long", ["eu-west"], /say how long: --lasts 2m/],
    [
      "above what is no share",
      ["eu-west", "--lasts", "1m", "--abort-above", "5"],
      /Expected a share such as 0\.01/,
    ],
  ];
  for (const [name, args, expected] of misuses) {
    it(`are bad usage ${name}`, async () => {
      const { err, exitStatus } = await drill(...args);
      assert.equal(exitStatus, 2);
      assert.match(err, expected);
    });
  }

  it("are refused what they cannot be", async () => {
    const faults: [object, number, string, RegExp][] = [
      [{ region: "mars", lasts: "1m" }, 404, "unknown_region", /no region is called mars/],
      [{ region: "eu-west", lasts: "2d" }, 400, "malformed", /lasts: expected at most 1d/],
      [{ region: "eu-west", lasts: "1m", kind: "hole" }, 400, "malformed", /kind/],
      [{ region: "eu-west", lasts: "1m", abortAbove: { errorRatio: 2 } }, 400, "malformed", /errorRatio/],
    ];
    for (const [body, status, fault, detail] of faults) {
      const { status: given, json } = await edge.call("POST", "/v1/drills", { body });
      assert.deepEqual([given, json.fault], [status, fault]);
      assert.match(json.detail, detail);
    }
  });
});
