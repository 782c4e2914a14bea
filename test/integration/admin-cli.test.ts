import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { CurrentConfig } from "../../src/config/current.ts";
import { configSchema } from "../../src/config/schema.ts";
import { type Ran, run, squeezed } from "../support/command-line.ts";
import { type AdminEdge, adminEdge, inputsOf, recordOf } from "./admin-edge.ts";

describe("the client commands", () => {
  let edge: AdminEdge;
  let admin: string[];
  before(async () => {
    edge = await adminEdge();
    admin = ["--admin", edge.url];
  });
  after(() => edge.close());

  const admission = (id: string) => edge.table.view.byId.get(id)?.admission;

  it("status shows the edge and its regions", async () => {
    const { out, exitStatus } = await run(["status", ...admin]);
    assert.equal(exitStatus, 0);
    assert.match(out, /^edge-1 · 0\.1\.0 · running 1 min · configuration 1 · write region us-east/);
    assert.match(squeezed(out), /^REGION {2}ROLE {2}HEALTH {2}ADMISSION/m);
    assert.match(squeezed(out), /^eu-west {2}replica {2}up {2}open {2}12 ms {2}- {2}0 {2}0 {2}2 {2}7$/m);
  });

  it("status --ready says only whether traffic should come", async () => {
    const ready = await run(["status", "--ready", ...admin]);
    assert.deepEqual([ready.out.trim(), ready.exitStatus], ["ready", 0]);
    const nobody = await run(["status", "--ready", "--admin", "http://127.0.0.1:1"]);
    assert.equal(nobody.exitStatus, 1);
  });

  it("drain, status and undrain follow one another", async () => {
    const drained = await run([
      "drain",
      "eu-west",
      "--reason",
      "kernel update",
      "--deadline",
      "15m",
      ...admin,
    ]);
    assert.equal(drained.exitStatus, 0);
    assert.match(drained.out, /^eu-west was open and is draining until \d{4}-/);
    assert.match(squeezed(drained.out), /^reads {2}eu-west {2}us-east$/m);
    assert.equal(admission("eu-west"), "draining");
    const { out } = await run(["status", ...admin]);
    assert.match(out, /draining.*kernel update \(local, until /);
    const opened = await run(["undrain", "eu-west", ...admin]);
    assert.match(opened.out, /^eu-west was draining and is open\n/);
    assert.equal(admission("eu-west"), "open");
  });

  it("close with --dry-run changes nothing and says so", async () => {
    const { out, exitStatus } = await run(["close", "eu-west", "--reason", "x", "--dry-run", ...admin]);
    assert.equal(exitStatus, 0);
    assert.match(out, /^eu-west is open and would be closed; nothing was changed\n/);
    assert.equal(admission("eu-west"), "open");
  });

  it("fails with the remedy when the edge objects, and does it with --force", async () => {
    const refused = await run(["close", "us-east", "--reason", "x", ...admin]);
    assert.equal(refused.exitStatus, 1);
    assert.equal(refused.out, "");
    assert.match(refused.err, /^error: us-east takes the writes.*repeat with force.*\n$/);
    const forced = await run(["close", "us-east", "--reason", "x", "--force", ...admin]);
    assert.equal(forced.exitStatus, 0);
    assert.match(squeezed(forced.out), /^writes {2}us-east {2}refused \(writer_down\)$/m);
    await run(["undrain", "us-east", ...admin]);
  });

  it("explain says where a request would go and why not elsewhere", async () => {
    const { out } = await run([
      "explain",
      "GET",
      "/orders",
      "-H",
      "authorization: Bearer a",
      "-H",
      "x-b: 1",
      ...admin,
    ]);
    assert.match(out, /^eu-west, because of latency\na read, of a known user, pin free\n/);
    assert.match(squeezed(out), /^us-east {2}writer {2}up {2}open {2}80 ms {2}- {2}less-preferred$/m);
  });

  it("explain --request says where one went", async () => {
    const config = new CurrentConfig(configSchema.parse({ regions: {} }));
    const record = recordOf(inputsOf({ method: "GET", path: "/", headers: {} }, config, edge.table));
    edge.requests.set(record.id, record);
    const { out, exitStatus } = await run(["explain", "--request", record.id, ...admin]);
    assert.equal(exitStatus, 0);
    assert.match(out, /^GET \/orders was answered 200\neu-west, because of latency\n/);
  });

  it("prints JSON with --json", async () => {
    const status = JSON.parse((await run(["status", "--json", ...admin])).out);
    assert.deepEqual([status.edge, status.regions.length], ["edge-1", 3]);
    const explained = JSON.parse((await run(["explain", "GET", "/", "--json", ...admin])).out);
    assert.equal(explained.decision.region, "eu-west");
  });

  it("colours only when it is told to", async () => {
    const green = "\u001b[32mup\u001b[39m";
    assert.ok((await run(["status", ...admin], { colours: true })).out.includes(green));
    assert.ok(!(await run(["status", ...admin])).out.includes("\u001b"));
  });

  const badUsage: [string, string[]][] = [
    ["drain without a region", ["drain", "--reason", "x"]],
    ["drain without a reason", ["drain", "eu-west"]],
    ["an unknown option", ["status", "--verbose"]],
    ["an address that is no URL", ["status", "--admin", "localhost:9090"]],
    ["explain with a method alone", ["explain", "GET"]],
    ["explain with a request and a path", ["explain", "GET", "/", "--request", "1"]],
    ["a header without a colon", ["explain", "GET", "/", "-H", "x"]],
  ];
  for (const [name, args] of badUsage) {
    it(`calls ${name} bad usage`, async () => {
      const { err, exitStatus } = await run(args);
      assert.equal(exitStatus, 2);
      assert.match(err, /^error: /);
    });
  }

  for (const command of ["status", "drain", "close", "undrain", "drill", "explain"]) {
    it(`${command} --help shows an example`, async () => {
      const { out, exitStatus } = await run([command, "--help"]);
      assert.equal(exitStatus, 0);
      assert.match(out, new RegExp(`Examples?:\n {2}meridian ${command} `));
    });
  }

  it("says in one line that nobody answers", async () => {
    const { err, exitStatus } = await run(["status", "--admin", "http://127.0.0.1:1"]);
    assert.equal(exitStatus, 1);
    assert.match(err, /^error: no answer from http:\/\/127\.0\.0\.1:1 \(.*\); is the edge running.*\n$/);
  });

  it("says in one line that what answers is no admin API", async () => {
    const page = createServer((_, res) => res.setHeader("content-type", "text/html").end("<p>hello"));
    await new Promise((listening) => page.listen(0, "127.0.0.1", () => listening(null)));
    const { port } = page.address() as { port: number };
    const { err, exitStatus } = await run(["status", "--admin", `http://127.0.0.1:${port}`]);
    page.close();
    page.closeAllConnections();
    assert.equal(exitStatus, 1);
    assert.match(err, /^error: .* answered 200 text\/html, which is not a Meridian admin API\n$/);
  });

  it("takes the address from the environment and its exit status to the shell", async () => {
    const env = { ...process.env, MERIDIAN_ADMIN: edge.url };
    const spawned = (args: readonly string[]) =>
      new Promise<Ran>((resolve) => {
        execFile(process.execPath, ["src/main.ts", ...args], { env }, (error, out, err) =>
          resolve({ out, err, exitStatus: error ? Number(error.code) : 0 }),
        );
      });
    const [fine, failed, usage] = await Promise.all([
      spawned(["status", "--json"]),
      spawned(["undrain", "mars"]),
      spawned(["drain", "mars"]),
    ]);
    assert.deepEqual([fine.exitStatus, failed.exitStatus, usage.exitStatus], [0, 1, 2]);
    assert.equal(JSON.parse(fine.out).edge, "edge-1");
    assert.match(failed.err, /no region is called mars/);
  });
});

describe("the client commands and an edge with tokens", () => {
  it("asks for a token, uses it, and says what a viewer may not do", async () => {
    const sha256 = createHash("sha256").update("look").digest("hex");
    const edge = await adminEdge({
      admin: { port: 0, tokens: [{ name: "screen", role: "viewer", sha256 }] },
    });
    const admin = ["--admin", edge.url];
    const without = await run(["status", ...admin]);
    const withToken = await run(["status", "--token", "look", ...admin]);
    const change = await run(["undrain", "eu-west", "--token", "look", ...admin]);
    await edge.close();
    assert.deepEqual([without.exitStatus, withToken.exitStatus, change.exitStatus], [1, 0, 1]);
    assert.match(without.err, /give --token-file or set MERIDIAN_TOKEN/);
    assert.match(change.err, /screen is a viewer; this call needs the role operator/);
  });
});
