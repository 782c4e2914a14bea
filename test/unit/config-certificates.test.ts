import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { certificateFacts, timeFault } from "../../src/config/certificate.ts";
import { configChanges, restartOnly } from "../../src/config/changes.ts";
import { effectiveYaml, formatProblem, type Loaded, loadConfigFile } from "../../src/config/load.ts";
import { certificatesOf } from "../../src/config/pem-files.ts";
import type { Config } from "../../src/config/schema.ts";
import { Authority, type Issued, withoutOpenssl } from "../support/certificates.ts";

const REGIONS = "regions: { us: { role: writer, endpoints: [http://10.0.0.1:80] } }";
const DAY_MS = 86_400_000;

describe("certificates that a configuration names", { skip: withoutOpenssl }, () => {
  let authority: Authority;
  let pair: Issued;
  let other: Issued;
  let folder: string;

  before(async () => {
    authority = await Authority.create();
    folder = authority.folder;
    pair = await authority.issue({ names: ["edge.example", "*.Shop.example", "127.0.0.1"] });
    other = await authority.issue({ algorithm: "rsa" });
    await writeFile(join(folder, "chain.pem"), `${pair.cert}${authority.cert}`);
    await writeFile(join(folder, "damaged.pem"), pair.cert.replace(/MII/, "MIJ"));
    await writeFile(join(folder, "damaged.key"), pair.key.replace(/MIG/, "MIH"));
    const locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    await writeFile(join(folder, "locked.key"), locked);
    await writeFile(join(folder, "notes.txt"), "renew in May\n");
  });
  after(() => authority.remove());

  async function load(certFile: string, keyFile: string, ...lines: readonly string[]): Promise<Loaded> {
    const file = join(folder, "meridian.yaml");
    const https = ["listen:", "  https:", `    certFile: ${certFile}`, `    keyFile: ${keyFile}`, ...lines];
    await writeFile(file, [REGIONS, ...https].join("\n"));
    return loadConfigFile(file, {});
  }

  function configOf(loaded: Loaded): Config {
    assert.ok(loaded.ok, JSON.stringify(loaded));
    return loaded.config;
  }

  test("are read with their keys, beside the file or by absolute paths", async () => {
    const further = `    certificates: [{ certFile: ${other.certFile}, keyFile: ${other.keyFile} }]`;
    const config = configOf(await load("chain.pem", "1.key", further));
    assert.deepEqual(
      certificatesOf(config).map(({ place, names }) => `${place}: ${names.join(" ")}`),
      ["listen.https: edge.example *.shop.example", "listen.https.certificates[0]: localhost"],
    );
  });

  const CERT = "f:4:15: listen.https.certFile:";
  const KEY = "f:5:14: listen.https.keyFile:";
  for (const [name, certFile, keyFile, ...problems] of [
    [
      "whose file is not there",
      "none.pem",
      "1.key",
      `${CERT} cannot be read: no such file (looked for F/none.pem)`,
    ],
    [
      "whose file is another",
      "notes.txt",
      "1.key",
      `${CERT} no certificate in PEM (is this the right file?)`,
    ],
    [
      "that is a key",
      "1.key",
      "1.key",
      `${CERT} no certificate in PEM (it holds a key: name it with keyFile)`,
    ],
    ["that is damaged", "damaged.pem", "1.key", `${CERT} a certificate that cannot be read (is it damaged?)`],
    ["without a key", "1.pem", "notes.txt", `${KEY} no private key in PEM (is this the right file?)`],
    [
      "with a damaged key",
      "1.pem",
      "damaged.key",
      `${KEY} a private key that cannot be read (is it damaged?)`,
    ],
    [
      "whose key has a passphrase",
      "1.pem",
      "locked.key",
      `${KEY} the private key has a passphrase (take it off: openssl pkey -in KEY -out KEY)`,
    ],
    [
      "with the key of another",
      "1.pem",
      "2.key",
      `${KEY} not the key of this certificate (both change together when one is renewed: is one of them still the old one?)`,
    ],
    [
      "of which neither file is there",
      "no.pem",
      "no.key",
      `${CERT} cannot be read: no such file (looked for F/no.pem)`,
      `${KEY} cannot be read: no such file (looked for F/no.key)`,
    ],
  ] as const) {
    test(`are a problem at their place, such as one ${name}`, async () => {
      const loaded = await load(certFile, keyFile);
      assert.ok(!loaded.ok);
      const told = loaded.problems.map((problem) => formatProblem("f", problem));
      assert.deepEqual(
        told.map((line) => line.replace(folder, "F")),
        problems,
      );
    });
  }

  test("are a problem when their key is too short for anybody to believe it", async () => {
    const weak = await authority.issue({ algorithm: "weak" });
    const loaded = await load(weak.certFile, weak.keyFile);
    assert.ok(!loaded.ok);
    assert.match(
      loaded.problems[0]?.message ?? "",
      /^listen\.https\.certFile: cannot be used: .*key too small/,
    );
  });

  test("are warned of, and used, when they have expired or soon will", async () => {
    for (const [days, expected] of [
      [-1, /^listen\.https\.certFile: has expired on 20\d\d-\d\d-\d\d \d\d:\d\d UTC$/],
      [3, null],
      [90, null],
    ] as const) {
      const issued = await authority.issue({ days });
      const loaded = await load(issued.certFile, issued.keyFile);
      configOf(loaded);
      const told = loaded.warnings.filter(({ path }) => path.startsWith("listen"));
      assert.equal(told.length, expected === null ? 0 : 1, `${days} days`);
      if (expected) assert.match(told[0]?.message ?? "", expected);
    }
  });

  test("are near their end in the last fifth of their life, and at the latest in its last two weeks", () => {
    const facts = (days: number) => ({ names: [], validFromMs: 0, validToMs: days * DAY_MS });
    assert.equal(timeFault(facts(90), 75 * DAY_MS), null);
    assert.match(timeFault(facts(90), 77 * DAY_MS) ?? "", /^expires on 1970-04-01 00:00 UTC$/);
    assert.equal(timeFault(facts(6), 4.5 * DAY_MS), null);
    assert.match(timeFault(facts(6), 5 * DAY_MS) ?? "", /^expires on/);
    assert.match(timeFault(facts(6), 6 * DAY_MS) ?? "", /^has expired on/);
    assert.match(timeFault(facts(6), -1) ?? "", /^is not valid before 1970-01-01 00:00 UTC$/);
    assert.equal(certificateFacts("renew in May"), null);
  });

  test("are named and not shown: what is printed reads back as the same", async () => {
    const config = configOf(await load("1.pem", "1.key"));
    const printed = effectiveYaml(config);
    assert.match(printed, /certFile: 1\.pem\n/);
    assert.doesNotMatch(printed, /PRIVATE KEY|CERTIFICATE/);
    await writeFile(join(folder, "printed.yaml"), printed);
    assert.deepEqual(configOf(await loadConfigFile(join(folder, "printed.yaml"), {})), config);
  });

  test("are a change that a reload can make, unlike where it is listened", async () => {
    const [first, second] = [await authority.issue(), await authority.issue()];
    const before = configOf(await load(first.certFile, first.keyFile));
    await authority.renew(first, second);
    const renewed = configOf(await load(first.certFile, first.keyFile, "    minVersion: TLSv1.3"));
    assert.deepEqual(configChanges(before, renewed), [
      "listen.https.minVersion: TLSv1.2 -> TLSv1.3",
      `listen.https.certFile: other content of ${first.certFile}`,
      `listen.https.keyFile: other content of ${first.keyFile}`,
    ]);
    assert.deepEqual(restartOnly(before, renewed), []);
    const moved = configOf(await load(first.certFile, first.keyFile, "    port: 9443"));
    assert.deepEqual(restartOnly(before, moved), ["listen.https.port: 8443 -> 9443"]);
    const { https: _, ...listen } = before.listen;
    assert.equal(restartOnly(before, { ...before, listen }).length, 1);
  });
});
