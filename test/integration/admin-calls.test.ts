import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decisionAnswer, explanationAnswer, recentAnswer } from "../../src/admin/decision-messages.ts";
import { problemAnswer } from "../../src/admin/message-parts.ts";
import {
  configAnswer,
  livenessAnswer,
  pinAnswer,
  readinessAnswer,
  releaseAnswer,
  reloadAnswer,
  statusAnswer,
} from "../../src/admin/messages.ts";
import { CurrentConfig } from "../../src/config/current.ts";
import { configSchema } from "../../src/config/schema.ts";
import { type AdminEdge, adminEdge, inputsOf, recordOf } from "./admin-edge.ts";

/** Every call of this version. What openapi.json lists and the tests below use is held against it. */
const CALLS = [
  "GET /livez",
  "GET /readyz",
  "GET /metrics",
  "GET /v1/status",
  "GET /openapi.json",
  "GET /v1/regions",
  "GET /v1/regions/{id}",
  "POST /v1/regions/{id}/drain",
  "POST /v1/regions/{id}/close",
  "POST /v1/regions/{id}/undrain",
  "POST /v1/write-region",
  "GET /v1/schedule",
  "POST /v1/explain",
  "GET /v1/decisions",
  "GET /v1/decisions/{requestId}",
  "POST /v1/pins/lookup",
  "POST /v1/pins/release",
  "GET /v1/config",
  "POST /v1/config/reload",
  "GET /v1/edges",
  "GET /v1/events",
  "GET /v1/drills",
  "POST /v1/drills",
  "POST /v1/drills/stop",
];

describe("the admin API", () => {
  let edge: AdminEdge;
  before(async () => {
    edge = await adminEdge();
  });
  after(() => edge.close());

  it("says that the process is alive", async () => {
    const { status, json } = await edge.call("GET", "/livez");
    assert.equal(status, 200);
    livenessAnswer.parse(json);
  });

  it("says that it is ready, and with ?verbose how its regions are", async () => {
    const brief = await edge.call("GET", "/readyz");
    assert.deepEqual(readinessAnswer.parse(brief.json), { ready: true });
    const verbose = await edge.call("GET", "/readyz?verbose");
    assert.deepEqual(
      readinessAnswer.parse(verbose.json).regions?.map(({ id, health }) => `${id} ${health}`),
      ["us-east up", "eu-west up", "ap-south up"],
    );
  });

  it("says with 503 and the reasons that it is not ready", async () => {
    edge.reasons = ["stopping", "not listening"];
    const { status, json, headers } = await edge.call("GET", "/readyz?verbose");
    edge.reasons = [];
    assert.equal(status, 503);
    assert.equal(headers["retry-after"], "1");
    assert.deepEqual([json.fault, json.reasons], ["not_ready", ["stopping", "not listening"]]);
  });

  it("shows metrics as Prometheus wants them", async () => {
    const { status, headers, text } = await edge.call("GET", "/metrics");
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/plain; version=0.0.4");
    assert.equal(text, "meridian_build_info 1\n");
  });

  it("says what the edge is", async () => {
    const { json } = await edge.call("GET", "/v1/status");
    assert.deepEqual(statusAnswer.parse(json), {
      edge: "edge-1",
      version: "0.1.0",
      uptimeSeconds: 61,
      configVersion: 1,
      epoch: 1,
      writeRegion: "us-east",
      mode: "rw",
      move: null,
      consistency: "strict",
      redis: "off",
      edges: 1,
      workers: 1,
      caller: { name: "local", role: "operator" },
    });
  });

  it("explains the decision it would take, region by region", async () => {
    const body = { method: "GET", path: "/orders?page=2" };
    const { status, json } = await edge.call("POST", "/v1/explain", { body });
    assert.equal(status, 200);
    const { decision, regions } = explanationAnswer.parse(json);
    assert.deepEqual(decision, { kind: "routed", region: "eu-west", reason: "latency", consistency: null });
    assert.deepEqual(
      regions.map(({ id, verdict, obstacle }) => [id, verdict, obstacle]),
      [
        ["us-east", "dropped", "less-preferred"],
        ["eu-west", "serves", null],
        ["ap-south", "dropped", "less-preferred"],
      ],
    );
  });

  it("explains with the headers it is given", async () => {
    const headers = { Authorization: "Bearer x" };
    const { json } = await edge.call("POST", "/v1/explain", { body: { method: "POST", path: "/", headers } });
    assert.equal(json.decision.region, "us-east");
    assert.equal(json.facts.identified, true);
  });

  it("explains the decision it did take by the world of that time", async () => {
    const config = new CurrentConfig(
      configSchema.parse({ regions: { solo: { role: "writer", endpoints: ["http://h"] } } }),
    );
    const inputs = inputsOf({ method: "GET", path: "/", headers: {} }, config, edge.table);
    const record = recordOf(inputs);
    edge.requests.set(record.id, record);
    await edge.call("POST", "/v1/regions/eu-west/close", { body: { reason: "later" } });
    const { status, json } = await edge.call("GET", `/v1/decisions/${record.id}`);
    await edge.call("POST", "/v1/regions/eu-west/undrain");
    assert.equal(status, 200);
    const { request, explanation } = decisionAnswer.parse(json);
    assert.equal(request.id, record.id);
    assert.deepEqual(request.attempts, record.attempts);
    assert.equal(explanation?.regions.find(({ verdict }) => verdict === "serves")?.id, "eu-west");
  });

  it("lists the latest decisions briefly, without what they were made of", async () => {
    for (const id of ["first", "second", "third"]) edge.requests.set(id, { ...recordOf(null), id });
    const { json } = await edge.call("GET", "/v1/decisions?limit=2");
    const { decisions } = recentAnswer.parse(json);
    assert.deepEqual(
      decisions.map(({ id, attempts }) => [id, attempts]),
      [
        ["third", 1],
        ["second", 1],
      ],
    );
    for (const limit of ["0", "201", "all"]) {
      const { status } = await edge.call("GET", `/v1/decisions?limit=${limit}`);
      assert.equal(status, 400, limit);
    }
  });

  it("has no explanation of a request that was refused before it was routed", async () => {
    const record = recordOf(null, { status: 400, fault: "bad_request", region: null, reason: null });
    edge.requests.set(record.id, record);
    const { json } = await edge.call("GET", `/v1/decisions/${record.id}`);
    assert.equal(decisionAnswer.parse(json).explanation, null);
  });

  it("does not know a request it has not seen", async () => {
    const { status, json } = await edge.call("GET", "/v1/decisions/nobody");
    assert.deepEqual([status, json.fault], [404, "unknown_request"]);
  });

  it("looks a user's pin up and releases it", async () => {
    const body = { kind: "header:authorization", value: "Bearer alice" };
    const free = await edge.call("POST", "/v1/pins/lookup", { body });
    assert.deepEqual(pinAnswer.parse(free.json), { pinned: false, pins: [] });

    const write = edge.pins.open(edge.identities.identitiesOf({ authorization: "Bearer alice" }).write);
    await write.acknowledged;
    write.settle("committed");
    const pinned = await edge.call("POST", "/v1/pins/lookup", { body });
    const [pin] = pinAnswer.parse(pinned.json).pins;
    assert.ok(pin && pin.remainingMs > 5_000 && pin.remainingMs <= 10_000, JSON.stringify(pin));

    const dry = await edge.call("POST", "/v1/pins/release?dryRun=true", { body });
    assert.deepEqual(releaseAnswer.parse(dry.json), { dryRun: true, released: 1 });
    const released = await edge.call("POST", "/v1/pins/release", {
      body: { ...body, reason: "support case" },
    });
    assert.deepEqual(releaseAnswer.parse(released.json), { dryRun: false, released: 1 });
    const again = await edge.call("POST", "/v1/pins/lookup", { body });
    assert.equal(again.json.pinned, false);
  });

  it("keeps identities out of the audit log and the log", async () => {
    const body = { kind: "header:authorization", value: "Bearer a-very-secret-value" };
    await edge.call("POST", "/v1/pins/release", { body });
    await edge.call("POST", "/v1/pins/release", { body: { ...body, kind: "cookie:unheard-of" } });
    const lines = edge.audits.filter(({ what }) => what === "release-pin");
    assert.deepEqual(
      lines.slice(-2).map(({ result }) => result),
      ["done", "refused"],
    );
    assert.doesNotMatch(JSON.stringify(edge.audits) + edge.logged.join(""), /a-very-secret-value/);
  });

  it("does not know an identity that is not configured", async () => {
    const { status, json } = await edge.call("POST", "/v1/pins/lookup", {
      body: { kind: "header:x-user", value: "1" },
    });
    assert.deepEqual([status, json.fault], [404, "unknown_identity"]);
  });

  it("shows the configuration in force without its secrets", async () => {
    const { json, text } = await edge.call("GET", "/v1/config");
    const { configVersion, config } = configAnswer.parse(json);
    assert.equal(configVersion, 1);
    assert.ok("eu-west" in (config.regions as object));
    assert.doesNotMatch(text, /a secret of the admin tests/);
  });

  it("reloads and says what changed", async () => {
    const changes = ["regions.eu-west.weight: 100 -> 50"];
    edge.reloadAnswer = { result: "applied", changes, needsRestart: [], warnings: [] };
    const { status, json } = await edge.call("POST", "/v1/config/reload");
    assert.equal(status, 200);
    assert.deepEqual(reloadAnswer.parse(json).changes, changes);
    assert.deepEqual([edge.audits.at(-1)?.what, edge.audits.at(-1)?.result], ["reload", "done"]);
  });

  it("refuses to reload a broken file, with every problem", async () => {
    const problem = {
      path: "regions",
      line: 3,
      column: 1,
      message: "no writer",
      hint: "give one the role writer",
    };
    edge.reloadAnswer = { result: "rejected", problems: [problem, { ...problem, line: 9 }] };
    const { status, json, headers } = await edge.call("POST", "/v1/config/reload");
    assert.equal(status, 422);
    assert.equal(headers["content-type"], "application/problem+json");
    assert.deepEqual([json.fault, json.problems.length, json.problems[1].line], ["config_rejected", 2, 9]);
    assert.equal(json.detail, "line 3: no writer; line 9: no writer");
    assert.equal(edge.audits.at(-1)?.result, "refused");
  });

  it("has no call that changes anything by GET, and says which method to use", async () => {
    const posts = CALLS.filter((call) => call.startsWith("POST")).map((call) => call.slice(5));
    const changes = posts.filter((path) => !CALLS.includes(`GET ${path}`));
    for (const path of changes) {
      for (const method of ["GET", "PUT", "DELETE", "OPTIONS"]) {
        const { status, json, headers } = await edge.call(method, path.replace("{id}", "eu-west"));
        assert.deepEqual(
          [status, headers.allow, json.fault],
          [405, "POST", "wrong_method"],
          `${method} ${path}`,
        );
      }
    }
    assert.equal(edge.table.view.byId.get("eu-west")?.admission, "open");
  });

  it("does not take a change for a look", async () => {
    const { status, headers } = await edge.call("POST", "/v1/regions", { body: {} });
    assert.deepEqual([status, headers.allow], [405, "GET, HEAD"]);
  });

  it("answers HEAD like GET, without the body", async () => {
    const { status, text } = await edge.call("HEAD", "/v1/regions");
    assert.deepEqual([status, text], [200, ""]);
  });

  it("does not offer HEAD of a stream that never ends", async () => {
    const { status, headers } = await edge.call("HEAD", "/v1/events");
    assert.deepEqual([status, headers.allow], [405, "GET"]);
  });

  const refusals: [string, string, string, object, number, string][] = [
    ["an unknown path", "GET", "/v1/nothing", {}, 404, "unknown_path"],
    ["a call that there is not", "POST", "/v1/drill", { body: {} }, 404, "unknown_path"],
    ["a broken URL", "GET", "/v1/regions/%zz", {}, 400, "malformed"],
    [
      "a body that is not JSON",
      "POST",
      "/v1/explain",
      { raw: "{", headers: { "content-type": "application/json" } },
      400,
      "malformed",
    ],
    [
      "a body with a prototype in it",
      "POST",
      "/v1/explain",
      {
        raw: '{"method":"GET","path":"/","__proto__":{"x":1}}',
        headers: { "content-type": "application/json" },
      },
      400,
      "malformed",
    ],
    [
      "a body of another type",
      "POST",
      "/v1/explain",
      { raw: "{}", headers: { "content-type": "text/plain" } },
      415,
      "media_type",
    ],
    [
      "a form, as another site's page would send",
      "POST",
      "/v1/regions/eu-west/undrain",
      { raw: "reason=x", headers: { "content-type": "application/x-www-form-urlencoded" } },
      415,
      "media_type",
    ],
    [
      "a page of another site",
      "POST",
      "/v1/regions/eu-west/undrain",
      { headers: { origin: "https://evil.example" } },
      403,
      "foreign_origin",
    ],
    [
      "a foreign Host",
      "GET",
      "/v1/status",
      { headers: { host: "rebound.example:9090" } },
      403,
      "foreign_origin",
    ],
    [
      "a body above 64 KiB",
      "POST",
      "/v1/explain",
      { body: { method: "GET", path: "/", headers: { a: "x".repeat(65_536) } } },
      413,
      "body_too_large",
    ],
    [
      "a path that is none",
      "POST",
      "/v1/explain",
      { body: { method: "GET", path: "orders" } },
      400,
      "malformed",
    ],
    [
      "an unknown key",
      "POST",
      "/v1/explain",
      { body: { method: "GET", path: "/", verbose: true } },
      400,
      "malformed",
    ],
  ];
  for (const [name, method, path, options, status, fault] of refusals) {
    it(`refuses ${name} with problem+json`, async () => {
      const answer = await edge.call(method, path, options);
      assert.equal(answer.headers["content-type"], "application/problem+json");
      const problem = problemAnswer.parse(answer.json);
      assert.deepEqual([answer.status, problem.status, problem.fault], [status, status, fault]);
    });
  }

  it("names a refused request by the id that its head and the log have", async () => {
    const { json, headers } = await edge.call("GET", "/v1/nothing");
    assert.equal(json.requestId, headers["x-request-id"]);
    assert.ok(edge.logged.some((line) => line.includes(json.requestId)));
  });

  it("lets no browser keep or share what it says", async () => {
    const { headers } = await edge.call("GET", "/v1/status");
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.equal(headers["set-cookie"], undefined);
  });

  it("describes in openapi.json exactly the calls that there are", async () => {
    const { json } = await edge.call("GET", "/openapi.json");
    const described = Object.entries(json.paths as Record<string, object>).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = edge.admin.routes.filter(({ method, page }) => method !== "HEAD" && !page);
    const registered = routes.map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, "{$1}")}`);
    assert.deepEqual(described.toSorted(), CALLS.toSorted());
    assert.deepEqual(registered.toSorted(), CALLS.toSorted());
  });

  it("describes for each call what it takes, who may make it, and what it answers", async () => {
    const { json } = await edge.call("GET", "/openapi.json");
    const drain = json.paths["/v1/regions/{id}/drain"].post;
    assert.deepEqual(
      drain.parameters.map(({ name, in: place }: { name: string; in: string }) => `${place} ${name}`),
      ["path id", "query dryRun", "query force"],
    );
    const body = drain.requestBody.content["application/json"].schema;
    assert.deepEqual([body.required, body.additionalProperties], [["reason"], false]);
    assert.equal(drain["x-meridian-role"], "operator");
    assert.deepEqual(json.paths["/livez"].get.security, []);
    for (const [path, operations] of Object.entries(json.paths as Record<string, Record<string, never>>)) {
      for (const operation of Object.values(operations) as {
        summary?: string;
        responses: { 200: object };
      }[]) {
        assert.ok(operation.summary, `${path} has a summary`);
        assert.match(JSON.stringify(operation.responses[200]), /"type"/, `${path} says what it answers`);
      }
    }
  });
});

describe("an admin API that fails", () => {
  it("answers 500 without the cause, which is in the log", async () => {
    const edge = await adminEdge();
    edge.requests.get = () => {
      throw new Error("disk on fire");
    };
    const { status, json, text } = await edge.call("GET", "/v1/decisions/1");
    await edge.close();
    assert.deepEqual([status, json.fault], [500, "internal"]);
    assert.doesNotMatch(text, /disk on fire/);
    assert.ok(edge.logged.some((line) => line.includes("disk on fire") && line.includes(json.requestId)));
  });
});
