import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { admissionAnswer, regionAnswer, regionsAnswer } from "../../src/admin/region-messages.ts";
import { AdmissionStore } from "../../src/fleet/admissions.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";
import { SharedAway } from "../../src/fleet/shared-hash.ts";
import { type AdminEdge, adminEdge, setHealth, THERE } from "./admin-edge.ts";

const REASON = { reason: "kernel update" };

describe("regions in the admin API", () => {
  let edge: AdminEdge;
  before(async () => {
    edge = await adminEdge();
  });
  after(() => edge.close());
  beforeEach(async () => {
    for (const id of ["us-east", "eu-west", "ap-south"]) {
      await edge.call("POST", `/v1/regions/${id}/undrain`);
      setHealth(edge, id, true);
    }
    (edge.audits as unknown[]).length = 0;
  });

  const admission = (id: string) => edge.table.view.byId.get(id)?.admission;

  it("lists every region as the edge sees it, in the order of the file", async () => {
    const { status, json } = await edge.call("GET", "/v1/regions");
    assert.equal(status, 200);
    const { regions } = regionsAnswer.parse(json);
    assert.deepEqual(
      regions.map(({ id, health, tunnels, sessions }) => [id, health, tunnels, sessions]),
      [
        ["us-east", "up", 2, 7],
        ["eu-west", "up", 2, 7],
        ["ap-south", "up", 2, 7],
      ],
    );
  });

  it("shows one region with its endpoints", async () => {
    const { json } = await edge.call("GET", "/v1/regions/eu-west");
    const { id, latencyMs, endpoints } = regionAnswer.parse(json);
    assert.deepEqual([id, latencyMs, endpoints.length], ["eu-west", 12, 1]);
    assert.equal(endpoints[0]?.url, "http://127.0.0.1:10");
  });

  it("names the regions there are when asked for one there is not", async () => {
    const { status, json } = await edge.call("GET", "/v1/regions/mars");
    assert.equal(status, 404);
    assert.equal(json.fault, "unknown_region");
    assert.match(json.detail, /us-east, eu-west, ap-south/);
  });

  it("drains a region until a deadline of ten minutes from now, unless told otherwise", async () => {
    for (const [deadline, expectedMs] of [
      [undefined, 600_000],
      ["90s", 90_000],
    ] as const) {
      const { status, json } = await edge.call("POST", "/v1/regions/eu-west/drain", {
        body: { ...REASON, deadline },
      });
      assert.equal(status, 200);
      const answer = admissionAnswer.parse(json);
      assert.equal(answer.admission.state, "draining");
      assert.equal(answer.admission.by, "local");
      const lastsMs = Date.parse(answer.admission.deadline ?? "") - Date.parse(answer.admission.since);
      assert.ok(Math.abs(lastsMs - expectedMs) < 1_000, `${lastsMs} ms`);
      assert.equal(admission("eu-west"), "draining");
    }
  });

  it("says who drained a region, why and until when, wherever it shows the region", async () => {
    await edge.call("POST", "/v1/regions/eu-west/drain", { body: REASON });
    const { json } = await edge.call("GET", "/v1/regions/eu-west");
    assert.equal(json.admission, "draining");
    assert.equal(json.operator.reason, "kernel update");
    assert.equal(json.operator.by, "local");
  });

  it("says what all live edges send there", async () => {
    const rate = { region: "eu-west", jurisdictions: null } as const;
    edge.traffic = {
      rates: [
        { ...rate, traffic: "reads", perSecond: 40.25 },
        { ...rate, traffic: "writes", perSecond: 2 },
      ],
      capacities: new Map(),
    };
    const { json } = await edge.call("GET", "/v1/regions/eu-west");
    assert.equal(json.requestsPerSecond, 42.3);
  });

  it("closes a region and opens it again", async () => {
    const closed = await edge.call("POST", "/v1/regions/eu-west/close", { body: REASON });
    assert.equal(closed.json.admission.deadline, null);
    assert.equal(admission("eu-west"), "closed");
    const opened = await edge.call("POST", "/v1/regions/eu-west/undrain");
    assert.equal(admissionAnswer.parse(opened.json).before, "closed");
    assert.equal(admission("eu-west"), "open");
  });

  it("says where new traffic goes and what is there now", async () => {
    const { json } = await edge.call("POST", "/v1/regions/eu-west/close", { body: REASON });
    assert.deepEqual(json.affected, { ...THERE, requestsInFlight: 0, estimatedEnd: null });
    assert.deepEqual(json.moves[0], {
      traffic: "reads",
      jurisdictions: null,
      before: { regions: [{ region: "eu-west", share: 1 }], fault: null },
      after: { regions: [{ region: "us-east", share: 1 }], fault: null },
    });
  });

  for (const what of ["drain", "close"]) {
    it(`does not ${what} without a reason, and says how to give one`, async () => {
      for (const options of [{}, { body: {} }, { body: { reason: "  " } }]) {
        const { status, json } = await edge.call("POST", `/v1/regions/eu-west/${what}`, options);
        assert.equal(status, 400);
        assert.match(json.detail, /reason.*audit log/);
      }
      assert.equal(admission("eu-west"), "open");
    });

    it(`changes nothing on a dry run of ${what}, and answers the same`, async () => {
      const dry = await edge.call("POST", `/v1/regions/eu-west/${what}?dryRun=true`, { body: REASON });
      assert.equal(dry.status, 200);
      assert.equal(admissionAnswer.parse(dry.json).dryRun, true);
      assert.equal(admission("eu-west"), "open");
      assert.equal(edge.admissions.get().get("eu-west")?.state, "open");
      assert.equal(edge.audits.at(-1)?.result, "dry-run");
      const real = await edge.call("POST", `/v1/regions/eu-west/${what}`, { body: REASON });
      assert.deepEqual(real.json.moves, dry.json.moves);
    });

    it(`does not ${what} the write region, and says what to do instead`, async () => {
      for (const query of ["", "?dryRun=true"]) {
        const { status, json } = await edge.call("POST", `/v1/regions/us-east/${what}${query}`, {
          body: REASON,
        });
        assert.equal(status, 409);
        assert.equal(json.fault, "write_region");
        assert.match(
          json.detail,
          /Move the write region.*meridian promote eu-west \(POST \/v1\/write-region\), or repeat with force/,
        );
      }
      assert.equal(admission("us-east"), "open");
    });

    it(`does not ${what} the last region for reads`, async () => {
      setHealth(edge, "us-east", false);
      setHealth(edge, "ap-south", false);
      const { status, json } = await edge.call("POST", `/v1/regions/eu-west/${what}`, { body: REASON });
      assert.equal(status, 409);
      assert.equal(json.fault, "last_region");
      assert.match(
        json.detail,
        /repair us-east, which is down; or repair ap-south, which is down, or repeat with force/,
      );
      assert.equal(json.moves[0].after.regions[0].region, "us-east", "shows where its last hope would be");
      assert.equal(admission("eu-west"), "open");
    });

    it(`does ${what} the write region with force, in the query or in the body`, async () => {
      const inQuery = await edge.call("POST", `/v1/regions/us-east/${what}?force=true`, { body: REASON });
      assert.equal(inQuery.status, 200);
      assert.notEqual(admission("us-east"), "open");
      await edge.call("POST", "/v1/regions/us-east/undrain");
      const inBody = await edge.call("POST", `/v1/regions/us-east/${what}`, {
        body: { ...REASON, force: true },
      });
      assert.equal(inBody.status, 200);
      assert.notEqual(admission("us-east"), "open");
    });
  }

  it("refuses a misspelt query or body rather than to do half of what was meant", async () => {
    const wrong = [
      ["/v1/regions/eu-west/drain?dryrun=true", REASON],
      ["/v1/regions/eu-west/drain?dryRun=yes", REASON],
      ["/v1/regions/eu-west/drain", { ...REASON, dedline: "1m" }],
      ["/v1/regions/eu-west/drain", { ...REASON, deadline: 60 }],
      ["/v1/regions/eu-west/close", { ...REASON, deadline: "1m" }],
      ["/v1/regions/eu-west/close", { ...REASON, force: "true" }],
    ] as const;
    for (const [path, body] of wrong) {
      const { status, json } = await edge.call("POST", path, { body });
      assert.equal(status, 400, path);
      assert.equal(json.problems.length, 1, JSON.stringify(json));
    }
    assert.equal(admission("eu-west"), "open");
  });

  it("writes one audit line for a change, with who, what, before, after and why", async () => {
    await edge.call("POST", "/v1/regions/eu-west/drain", { body: REASON });
    const [line, ...others] = edge.audits;
    assert.deepEqual(others, []);
    const { before, after: then, ...rest } = line ?? assert.fail("no audit line");
    assert.deepEqual(rest, {
      who: "local",
      what: "drain",
      target: "eu-west",
      why: "kernel update",
      result: "done",
    });
    assert.equal((before as { state: string }).state, "open");
    assert.equal((then as { state: string }).state, "draining");
  });

  it("writes one audit line for a refused change", async () => {
    await edge.call("POST", "/v1/regions/us-east/close", { body: REASON });
    await edge.call("POST", "/v1/regions/eu-west/close", { body: {} });
    await edge.call("POST", "/v1/regions/mars/undrain");
    assert.deepEqual(
      edge.audits.map(({ what, target, why, result }) => [what, target, why, result]),
      [
        ["close", "us-east", "kernel update", "refused"],
        ["close", "eu-west", null, "refused"],
        ["undrain", "mars", null, "refused"],
      ],
    );
  });
});

describe("the load that a change of admission moves", () => {
  it("shows what other regions would have to bear, and refuses what they cannot", async (t) => {
    const edge = await adminEdge();
    t.after(() => edge.close());
    const rate = { region: "eu-west", traffic: "reads", jurisdictions: null, perSecond: 60.04 } as const;
    const load = (capacity: number | null) => [
      { region: "eu-west", before: 60, after: 0, capacity: null },
      { region: "us-east", before: 0, after: 60, capacity },
    ];
    for (const capacity of [null, 61]) {
      const capacities = new Map(capacity === null ? [] : [["us-east", capacity]]);
      edge.traffic = { rates: [rate], capacities };
      const { json } = await edge.call("POST", "/v1/regions/eu-west/drain?dryRun=true", { body: REASON });
      assert.deepEqual(admissionAnswer.parse(json).load, load(capacity));
    }
    edge.traffic = { rates: [rate], capacities: new Map([["us-east", 50]]) };
    for (const query of ["?dryRun=true", ""]) {
      const { status, json } = await edge.call("POST", `/v1/regions/eu-west/drain${query}`, {
        body: REASON,
      });
      assert.deepEqual([status, json.fault], [409, "capacity"]);
      assert.match(
        json.detail,
        /us-east would get 60 requests.*its capacity is 50\. Wait.*repeat with force/,
      );
      assert.deepEqual(json.load, load(50));
    }
    assert.equal(edge.table.view.byId.get("eu-west")?.admission, "open");
    const forced = await edge.call("POST", "/v1/regions/eu-west/drain?force=true", { body: REASON });
    assert.equal(forced.status, 200);
    const opened = await edge.call("POST", "/v1/regions/eu-west/undrain");
    assert.deepEqual(admissionAnswer.parse(opened.json).load, []);
  });
});

describe("a change of admission while the shared store is away", () => {
  it("is refused with 503, changes nothing, and names the remedy", async () => {
    class Away extends AdmissionStore {
      override set(): Promise<void> {
        return Promise.reject(new SharedAway("connect ECONNREFUSED"));
      }
    }
    const edge = await adminEdge({}, new Away(new MemoryHash()));
    try {
      const { status, json, headers } = await edge.call("POST", "/v1/regions/eu-west/drain", {
        body: REASON,
      });
      assert.equal(status, 503);
      assert.equal(json.fault, "store_unreachable");
      assert.match(json.detail, /ECONNREFUSED.*Try again/);
      assert.ok(headers["retry-after"]);
      assert.equal(edge.table.view.byId.get("eu-west")?.admission, "open");
      assert.deepEqual(
        edge.audits.map(({ result }) => result),
        ["refused"],
      );
    } finally {
      await edge.close();
    }
  });
});
