import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { request } from "undici";
import { type AdminEdge, adminEdge } from "./admin-edge.ts";

const FILES = ["/", "/console", "/console/console.js", "/console/console.css", "/console/icon.svg"];
/** All that a browser loads, as it is sent. */
const MOST_BYTES = 80_000;
const sha256 = createHash("sha256").update("act").digest("hex");

describe("the console's files", () => {
  let edge: AdminEdge;
  before(async () => {
    edge = await adminEdge({ admin: { port: 0, tokens: [{ name: "ops", role: "operator", sha256 }] } });
  });
  after(() => edge.close());

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const { statusCode, headers: answered, body } = await request(edge.url + path, { headers });
    return { status: statusCode, headers: answered, body: Buffer.from(await body.arrayBuffer()) };
  };

  it("are for anyone, while what they show is not", async () => {
    for (const path of FILES) assert.equal((await get(path)).status, 200, path);
    assert.equal((await get("/v1/status")).status, 401);
  });

  it("may load and call nothing but this listener, nor be framed, nor make text into HTML", async () => {
    for (const path of FILES) {
      const policy = String((await get(path)).headers["content-security-policy"]);
      for (const part of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
      ])
        assert.ok(policy.includes(part), `${path}: ${part}`);
      assert.doesNotMatch(policy, /unsafe|http:|https:|\*/);
    }
  });

  it("name no other host, and no file that is not there", async () => {
    const page = (await get("/")).body.toString();
    const named = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = ""]) => `/${path}`);
    assert.equal(named.length, 3);
    for (const path of named) assert.ok(FILES.includes(path), path);
    const script = (await get("/console/console.js")).body.toString();
    const hosts = [...script.matchAll(/https?:\/\/[^"'`\s)]+/g)].map(([url]) => url);
    assert.deepEqual(
      [...new Set(hosts)].filter((url) => !url.startsWith("http://www.w3.org/")),
      [],
    );
  });

  it("come zipped to who can unzip, and are small", async () => {
    let bytes = 0;
    for (const path of FILES.filter((each) => each !== "/console")) {
      const zipped = await get(path, { "accept-encoding": "gzip, br" });
      assert.equal(zipped.headers["content-encoding"], "gzip", path);
      assert.deepEqual(gunzipSync(zipped.body), (await get(path)).body);
      bytes += zipped.body.length;
    }
    assert.ok(bytes < MOST_BYTES, `${bytes} bytes`);
  });

  it("are not sent again to who has them", async () => {
    const { etag } = (await get("/console/console.js")).headers;
    const again = await get("/console/console.js", { "if-none-match": String(etag) });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
  });
});
