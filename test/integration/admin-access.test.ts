import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type AdminEdge, adminEdge } from "./admin-edge.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const TOKENS = [
  { name: "screen", role: "viewer", sha256: sha256("look") },
  { name: "ops", role: "operator", sha256: sha256("act") },
];
const as = (token: string) => ({ authorization: `Bearer ${token}` });
const REASON = { reason: "upgrade" };

describe("an admin API with tokens", () => {
  let edge: AdminEdge;
  before(async () => {
    edge = await adminEdge({ admin: { port: 0, tokens: TOKENS } });
  });
  after(() => edge.close());

  it("answers orchestrators and Prometheus without one", async () => {
    for (const path of ["/livez", "/readyz", "/metrics"]) {
      assert.equal((await edge.call("GET", path)).status, 200, path);
    }
  });

  it("answers nobody else without one", async () => {
    const others = edge.admin.routes.filter(({ access }) => access !== "anyone");
    const open = edge.admin.routes.filter(({ access }) => access === "anyone").map(({ url }) => url);
    const known = (url: string) => url === "/" || url.startsWith("/console");
    assert.deepEqual(
      new Set(open.filter((url) => !known(url))),
      new Set(["/livez", "/readyz", "/metrics"]),
      "but for the console's files",
    );
    for (const { method, url } of others) {
      const { status, headers, json } = await edge.call(method, url.replace(/:\w+/, "eu-west"));
      assert.equal(status, 401, `${method} ${url}`);
      if (method !== "HEAD") assert.equal(json.fault, "unauthenticated");
      assert.match(String(headers["www-authenticate"]), /^Bearer/);
    }
  });

  it("does not tell what there is to those without one", async () => {
    assert.equal((await edge.call("GET", "/v1/nothing")).status, 401);
    assert.equal((await edge.call("GET", "/v1/regions/eu-west/drain")).status, 401);
  });

  it("does not take a wrong one", async () => {
    const { status } = await edge.call("GET", "/v1/status", { headers: as("guess") });
    assert.equal(status, 401);
  });

  it("shows a viewer everything, and lets it ask", async () => {
    const headers = as("look");
    for (const path of ["/v1/status", "/v1/regions", "/v1/config", "/openapi.json"]) {
      assert.equal((await edge.call("GET", path, { headers })).status, 200, path);
    }
    const body = { method: "GET", path: "/" };
    assert.equal((await edge.call("POST", "/v1/explain", { headers, body })).status, 200);
  });

  it("lets a viewer change nothing, not even on a dry run, and keeps the attempt in the audit log", async () => {
    const changes = edge.admin.routes.filter(({ access }) => access === "operator");
    assert.ok(changes.length >= 6);
    for (const { method, url } of changes) {
      const path = `${url.replace(":id", "eu-west")}?dryRun=true`;
      const { status, json } = await edge.call(method, path, { headers: as("look"), body: {} });
      assert.deepEqual([status, json.fault], [403, "forbidden"], url);
    }
    const kept = edge.audits.filter(({ who }) => who === "screen");
    assert.equal(kept.length, changes.length);
    for (const line of kept) {
      assert.deepEqual(
        [line.result, line.fault, line.from],
        ["refused", "forbidden", "127.0.0.1"],
        line.what,
      );
    }
  });

  it("keeps changes that strangers tried in the audit log, too, without what they brought along", async () => {
    const body = { kind: "header:authorization", value: "Bearer somebody", reason: "why not" };
    await edge.call("POST", "/v1/pins/release", { headers: as("a-guess-at-a-token"), body });
    const line = edge.audits.findLast(({ what }) => what === "release-pin");
    assert.deepEqual(line, {
      who: "unknown",
      what: "release-pin",
      target: null,
      before: null,
      after: null,
      why: null,
      result: "refused",
      fault: "unauthenticated",
      from: "127.0.0.1",
    });
    assert.doesNotMatch(JSON.stringify(edge.audits) + edge.logged.join(""), /a-guess|somebody/);
  });

  it("lets an operator change things in its own name", async () => {
    const { status, json } = await edge.call("POST", "/v1/regions/eu-west/drain", {
      headers: as("act"),
      body: REASON,
    });
    assert.equal(status, 200);
    assert.equal(json.admission.by, "ops");
    assert.equal(edge.audits.at(-1)?.who, "ops");
  });

  it("may be reached under any name, because a page cannot know the token", async () => {
    const headers = { ...as("look"), host: "edge.example:9090" };
    assert.equal((await edge.call("GET", "/v1/status", { headers })).status, 200);
  });
});

describe("an admin API without tokens", () => {
  it("does not start on an address that others can reach", async () => {
    await assert.rejects(adminEdge({ admin: { host: "0.0.0.0", port: 0 } }), /not loopback/);
  });

  it("leaves it to the edge to say where it listens, and logs what it refuses", async (context) => {
    const edge = await adminEdge();
    context.after(() => edge.close());
    assert.deepEqual(edge.logged, []);
    await edge.call("GET", "/v1/nothing");
    await edge.call("GET", "/v1/regions/nowhere");
    assert.deepEqual(
      edge.logged.map((line) => JSON.parse(line)).map(({ level, msg, fault }) => `${level} ${msg}: ${fault}`),
      ["30 admin call refused: unknown_path", "30 admin call refused: unknown_region"],
    );
  });

  it("calls whoever is on this machine local", async () => {
    const edge = await adminEdge();
    await edge.call("POST", "/v1/regions/eu-west/drain", { body: REASON });
    await edge.close();
    assert.equal(edge.audits[0]?.who, "local");
  });
});
