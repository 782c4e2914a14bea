import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { configChanges, restartOnly } from "../../src/config/changes.ts";
import { type KeysRead, keysOfJwks, keysOfPem } from "../../src/config/keys.ts";
import { effectiveYaml, formatProblem, type Loaded, loadConfigFile } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { Issuer } from "../support/jwt.ts";

const REGIONS = "regions: { us: { role: writer, endpoints: [http://10.0.0.1:80] } }";
/** Of an Ed25519 key that signs nothing; valid for two days of 2026. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBRjCB+aADAgECAhRmhofQQV3aDtw9EA65HF9TTMboYDAFBgMrZXAwGTEXMBUG
A1UEAwwOaXNzdWVyLmV4YW1wbGUwHhcNMjYxMTIxMTIyMTI0WhcNMjYxMTIzMTIy
MTI0WjAZMRcwFQYDVQQDDA5pc3N1ZXIuZXhhbXBsZTAqMAUGAytlcAMhAIVroReR
pBD7UWpyQlLyJhXqW9gTVUasgwEKUIfhj0olo1MwUTAdBgNVHQ4EFgQUvYdY6U/W
YCUbBFIpU0ISu63sfnwwHwYDVR0jBBgwFoAUvYdY6U/WYCUbBFIpU0ISu63sfnww
DwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQBCRBVGVswQ78lfUAgUBaa5+yrWLVTg
tvIOXwHeGMVIVopxAOlXYf1NsWxbS/89vDxfDsmbpJU/bpfTxngKw68I
-----END CERTIFICATE-----
`;

const issuer = new Issuer();
const jwksText = (...keys: readonly unknown[]) => JSON.stringify({ keys });

function complaint(read: KeysRead): string {
  assert.ok(!read.ok);
  return `${read.message} (${read.hint})`;
}

describe("keys in PEM", () => {
  test("are one public key or certificate, and say what may be signed with them", () => {
    const algorithmsOf = (text: string) => {
      const read = keysOfPem(text);
      assert.ok(read.ok, JSON.stringify(read));
      assert.equal(read.keys.length, 1);
      assert.equal(read.keys[0]?.kid, null);
      return read.keys[0]?.algorithms.join(" ");
    };
    assert.equal(algorithmsOf(issuer.pem), "ES256");
    assert.equal(algorithmsOf(new Issuer("ES384").pem), "ES384");
    assert.equal(algorithmsOf(new Issuer("ES512").pem), "ES512");
    assert.equal(algorithmsOf(new Issuer("EdDSA").pem), "EdDSA Ed25519");
    assert.equal(algorithmsOf(new Issuer("RS256").pem), "RS256 RS384 RS512 PS256 PS384 PS512");
    assert.equal(algorithmsOf(`the key of our issuer\n${issuer.pem}\n`), "ES256");
    assert.equal(algorithmsOf(CERTIFICATE), "EdDSA Ed25519");
  });

  const pemOf = (pair: { publicKey: { export(options: { type: "spki"; format: "pem" }): string } }) =>
    pair.publicKey.export({ type: "spki", format: "pem" });
  const unusable =
    "a key that cannot be used (expected RSA of 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519)";
  const rows: readonly (readonly [name: string, text: string, complaint: string])[] = [
    ["nothing", "", "no public key or certificate in PEM (give one; several go into a JWKS)"],
    ["a text", "hunter2", "no public key or certificate in PEM (give one; several go into a JWKS)"],
    ["two keys", issuer.pem.repeat(2), "2 keys or certificates (give one; several go into a JWKS)"],
    ["a JWKS", jwksText(issuer.jwk()), "not PEM (is it a JWKS? name it with jwksFile)"],
    [
      "a private key",
      issuer.privatePem,
      "holds a private key (give the public one: openssl pkey -in KEY -pubout)",
    ],
    [
      "a damaged key",
      issuer.pem.replace("MFkw", "MFkx"),
      "a key or certificate that cannot be read (is it damaged?)",
    ],
    ["a short RSA key", pemOf(generateKeyPairSync("rsa", { modulusLength: 1_024 })), unusable],
    ["a curve of coins", pemOf(generateKeyPairSync("ec", { namedCurve: "secp256k1" })), unusable],
    ["a curve without a JWK", pemOf(generateKeyPairSync("ec", { namedCurve: "secp224r1" })), unusable],
    ["a key for agreeing on keys", pemOf(generateKeyPairSync("x25519")), unusable],
    ["an Ed448 key", pemOf(generateKeyPairSync("ed448")), unusable],
  ];
  for (const [name, text, expected] of rows) {
    test(`are not ${name}`, () => assert.equal(complaint(keysOfPem(text)), expected));
  }
});

describe("keys in a JWKS", () => {
  test("are those that verify, each with its name; others are passed over", () => {
    const rsa = new Issuer("RS256");
    const read = keysOfJwks(
      jwksText(
        issuer.jwk({ kid: "ec", use: "sig", x5t: "unknown to us" }),
        issuer.jwk({ kid: 7 }),
        issuer.jwk({ use: "enc" }),
        issuer.jwk({ key_ops: ["sign"] }),
        issuer.jwk({ key_ops: ["verify"], kid: "ops" }),
        issuer.jwk({ alg: "RS256" }),
        issuer.jwk({ x: "AAAA" }),
        rsa.jwk({ kid: "rsa", alg: "PS256" }),
        { kty: "oct", k: "c2VjcmV0", kid: "shared" },
        { kty: "oct", k: "" },
        { kty: "oct" },
        { kty: "AKP", alg: "ML-DSA-44", pub: "AAAA" },
        {},
        null,
        "a key",
      ),
    );
    assert.ok(read.ok);
    assert.deepEqual(
      read.keys.map(({ kid, algorithms }) => `${kid}: ${algorithms.join(" ")}`),
      ["ec: ES256", "null: ES256", "ops: ES256", "rsa: PS256", "shared: HS256 HS384 HS512"],
    );
    assert.deepEqual(Object.keys(read.keys[0]?.jwk ?? {}).sort(), ["crv", "kty", "x", "y"]);
  });

  const none =
    "no key in it verifies signatures (expected RSA of 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519, or oct)";
  const rows: readonly (readonly [name: string, text: string, complaint: string])[] = [
    ["nothing", "", 'no JWKS (expected { "keys": [ … ] })'],
    ["a key without its set", JSON.stringify(issuer.jwk()), 'no JWKS (expected { "keys": [ … ] })'],
    ["a list", JSON.stringify([issuer.jwk()]), 'no JWKS (expected { "keys": [ … ] })'],
    ["cut off", jwksText(issuer.jwk()).slice(0, -1), 'no JWKS (expected { "keys": [ … ] })'],
    ["PEM", issuer.pem, "not JSON (is it PEM? name it with keyFile)"],
    ["an empty set", jwksText(), none],
    ["a set for other purposes", jwksText(issuer.jwk({ use: "enc" })), none],
    [
      "a private key",
      jwksText(issuer.jwk(), issuer.jwk({ d: "AAAA" })),
      "holds a private key (give the public ones only)",
    ],
  ];
  for (const [name, text, expected] of rows) {
    test(`are not ${name}`, () => assert.equal(complaint(keysOfJwks(text)), expected));
  }
});

describe("a file of keys that a configuration names", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "meridian-keys-"));
    await mkdir(join(folder, "keys"));
    await writeFile(join(folder, "keys/public.pem"), issuer.pem);
    await writeFile(join(folder, "keys/private.pem"), issuer.privatePem);
    await writeFile(join(folder, "keys/jwks.json"), jwksText(issuer.jwk({ kid: "k1" })));
    await writeFile(join(folder, "keys/binary"), Buffer.from([0xff, 0xfe]));
  });
  after(() => rm(folder, { recursive: true }));

  async function load(...lines: readonly string[]): Promise<Loaded> {
    const file = join(folder, "meridian.yaml");
    await writeFile(file, [REGIONS, "consistency:", "  identity:", ...lines].join("\n"));
    return loadConfigFile(file, {});
  }

  function configOf(loaded: Loaded): Config {
    assert.ok(loaded.ok, JSON.stringify(loaded));
    return loaded.config;
  }

  const keysOf = ({ consistency }: Config) =>
    consistency.identity?.map(({ jwt }) => (jwt?.jwksFile ?? jwt?.keyFile)?.keys?.map(({ kid }) => kid));

  test("is found beside the configuration, or where an absolute path says", async () => {
    const config = configOf(
      await load(
        "    - jwt: { header: authorization, jwksFile: keys/jwks.json }",
        `    - jwt: { cookie: session, keyFile: ${join(folder, "keys/public.pem")} }`,
        "    - header: x-user",
      ),
    );
    assert.deepEqual(keysOf(config), [["k1"], [null], undefined]);
  });

  test("is a problem at its place when it is not there, cannot be used or is not text", async () => {
    const loaded = await load(
      "    - jwt: { header: authorization, jwksFile: keys/none.json }",
      "    - jwt: { cookie: session, keyFile: keys/private.pem }",
      "    - jwt: { header: x-jwt, keyFile: keys/binary }",
      "log: { level: loud }",
    );
    assert.ok(!loaded.ok);
    assert.deepEqual(
      loaded.problems.map((problem) => formatProblem("f", problem)),
      [
        `f:4:47: consistency.identity[0].jwt.jwksFile: cannot be read: no such file (looked for ${folder}/keys/none.json)`,
        "f:5:40: consistency.identity[1].jwt.keyFile: holds a private key (give the public one: openssl pkey -in KEY -pubout)",
        "f:6:38: consistency.identity[2].jwt.keyFile: not UTF-8 text (is this the right file?)",
        "f:7:15: log.level: expected one of trace, debug, info, warn, error, fatal, silent",
      ],
    );
  });

  test("is named and not shown: what is printed reads back as the same", async () => {
    const secret = "c2VjcmV0LW9mLXRoZS1pc3N1ZXI";
    await writeFile(join(folder, "keys/shared.json"), jwksText({ kty: "oct", k: secret }));
    const config = configOf(await load("    - jwt: { header: authorization, jwksFile: keys/shared.json }"));
    const printed = effectiveYaml(config);
    assert.match(printed, /jwksFile: keys\/shared\.json\n/);
    assert.doesNotMatch(printed, new RegExp(secret));
    await writeFile(join(folder, "printed.yaml"), printed);
    assert.deepEqual(configOf(await loadConfigFile(join(folder, "printed.yaml"), {})), config);
  });

  test("is a change that a reload can make when its keys are others, and none when they are the same", async () => {
    const rotating = join(folder, "keys/rotating.json");
    const line = "    - jwt: { header: authorization, jwksFile: keys/rotating.json }";
    await writeFile(rotating, jwksText(issuer.jwk()));
    const before = configOf(await load("    - header: x-user", line));
    await writeFile(rotating, `${jwksText(issuer.jwk())}\n`);
    assert.deepEqual(configChanges(before, configOf(await load("    - header: x-user", line))), []);
    await writeFile(rotating, jwksText(issuer.jwk(), new Issuer().jwk()));
    const next = configOf(await load("    - header: x-user", line));
    assert.deepEqual(configChanges(before, next), [
      "consistency.identity[1].jwt.jwksFile: other keys in keys/rotating.json",
    ]);
    assert.deepEqual(restartOnly(before, next), []);
  });
});
