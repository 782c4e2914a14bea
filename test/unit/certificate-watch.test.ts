import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, type TestContext, test } from "node:test";
import { CertificateWatch } from "../../src/certificate-watch.ts";
import { CurrentConfig } from "../../src/config/current.ts";
import { loadConfigFile } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { EventBus } from "../../src/events.ts";
import { Authority, type Issued, withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";

const DAY_MS = 86_400_000;

describe("the watch over certificates", { skip: withoutOpenssl, concurrency: true }, () => {
  let authority: Authority;
  before(async () => {
    authority = await Authority.create();
  });
  after(() => authority.remove());

  async function watched(t: TestContext, { certFile, keyFile }: Issued) {
    const file = `${certFile}.yaml`;
    const https = `listen: { https: { certFile: ${certFile}, keyFile: ${keyFile} } }`;
    await writeFile(file, `regions: { us: { role: writer, endpoints: [http://10.0.0.1:80] } }\n${https}\n`);
    const loaded = await loadConfigFile(file, {});
    assert.ok(loaded.ok);
    const events = new EventBus();
    const said: string[] = [];
    events.on("warned", ({ what, detail }) => said.push(`${what}: ${detail}`));
    events.on("certificatesRenewed", ({ changes }) => said.push(...changes));
    const current = new CurrentConfig(loaded.config);
    const time = { nowMs: 0 };
    const clock = { now: () => time.nowMs, wall: () => Date.now() + time.nowMs };
    const apply = (config: Config) => current.swap(config);
    const watch = new CertificateWatch({ clock, current, folder: authority.folder, events, apply });
    t.after(() => watch.close());
    return { watch, said, time, current };
  }

  test("tells of one that has expired at once, and again each day", async (t) => {
    const { watch, said, time } = await watched(t, await authority.issue({ days: -1 }));
    watch.start();
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /^certificate near its end: listen\.https: has expired on /);
    time.nowMs = 2 * DAY_MS;
    await eventually(() => assert.equal(said.length, 2), { withinMs: 10_000 });
  });

  test("tells of one that soon will, until it is renewed", async (t) => {
    const old = await authority.issue();
    const { watch, said, time, current } = await watched(t, old);
    time.nowMs = 80 * DAY_MS;
    watch.start();
    assert.match(said[0] ?? "", /^certificate near its end: listen\.https: expires on /);
    const renewed = await authority.issue({ days: 400 });
    await authority.renew(old, renewed);
    await eventually(() => assert.match(said[1] ?? "", /^listen\.https\.certFile: other content/), {
      withinMs: 10_000,
    });
    assert.equal(current.get().listen.https?.certFile.read?.text, renewed.cert);
    time.nowMs = 82 * DAY_MS;
    assert.equal(said.length, 3);
  });

  test("takes no half of a pair, and tells of one that stays", async (t) => {
    const old = await authority.issue();
    const { watch, said, current } = await watched(t, old);
    watch.start();
    const other = await authority.issue();
    await writeFile(old.keyFile, other.key);
    await eventually(() => assert.equal(said.length, 1), { withinMs: 10_000 });
    assert.match(
      said[0] ?? "",
      /^certificate not renewed: listen\.https\.keyFile: not the key of this certificate/,
    );
    assert.equal(current.get().listen.https?.keyFile.read?.text, old.key);
    await writeFile(old.certFile, other.cert);
    await eventually(() => assert.equal(said.length, 3), { withinMs: 10_000 });
    assert.equal(current.get().listen.https?.certFile.read?.text, other.cert);
  });
});
