import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type KeysRead, keysOfJwks, keysOfPem, type VerifyingKey } from "../../src/config/keys.ts";
import type { IdentityConfig } from "../../src/config/schema-identity.ts";
import { type Headers, Identities } from "../../src/consistency/identities.ts";
import { VerifiedClaims } from "../../src/consistency/jwt-claims.ts";
import { hmacToken, Issuer, unsignedToken } from "../support/jwt.ts";

const SECRET = "a secret of the tests";
const HOUR_AGO = Math.floor(Date.now() / 1_000) - 3_600;

function keysIn(read: KeysRead): readonly VerifyingKey[] {
  assert.ok(read.ok, JSON.stringify(read));
  return read.keys;
}

const jwks = (...keys: readonly unknown[]) => keysIn(keysOfJwks(JSON.stringify({ keys })));

/** One identity by `sub`; verified when there are keys. */
function identityOf(place: IdentityConfig["jwt"] | object, keys?: readonly VerifyingKey[]): IdentityConfig {
  return { jwt: { claim: "sub", ...place, ...(keys && { jwksFile: { file: "jwks.json", keys } }) } };
}

/** The pids of a request, as a request finds them. */
async function pidsOf(identities: Identities, headers: Headers): Promise<readonly string[]> {
  await identities.prepare(headers);
  return identities.identitiesOf(headers).write;
}

/** Who sends this token, by the name that an operator would look up; null when nobody. */
async function subjectOf(token: string, keys: readonly VerifyingKey[]): Promise<string | null> {
  const reader = new VerifiedClaims("sub", keys);
  await reader.prepare(token);
  return reader.read(token);
}

describe("a user known by a claim", () => {
  const believing = new Identities([identityOf({ header: "authorization" })], [SECRET]);

  it("is the same with every token, and another with another's", async () => {
    const issuer = new Issuer();
    const tokens = [
      await issuer.token({ sub: "alice", exp: 1 }),
      await issuer.token({ sub: "alice", exp: 2 }),
      await issuer.token({ sub: "bob", exp: 2 }),
    ];
    const [first, renewed, bob] = await Promise.all(
      tokens.map((token) => pidsOf(believing, { authorization: `Bearer ${token}` })),
    );
    assert.equal(first?.length, 1);
    assert.deepEqual(renewed, first);
    assert.notDeepEqual(bob, first);
  });

  it("is found with and without Bearer, in any case", async () => {
    const token = unsignedToken({ sub: "alice" });
    const expected = believing.lookUp("jwt:sub", "alice")?.write;
    for (const value of [token, `Bearer ${token}`, `bearer  ${token}`, ` BEARER ${token} `])
      assert.deepEqual(await pidsOf(believing, { authorization: value }), expected);
  });

  it("is nobody without a token that says so, and never an exception", async () => {
    const part = Buffer.from("[1]").toString("base64url");
    const values = [
      "Basic YWxpY2U6aHVudGVyMg==",
      "Bearer",
      "a.b.c",
      "..",
      `${part}.${part}.`,
      "x".repeat(20_000),
      unsignedToken({ sub: "x".repeat(20_000) }),
      unsignedToken({ sub: "" }),
      unsignedToken({ sub: { id: 7 } }),
      unsignedToken({ sub: null }),
      unsignedToken({ sub: true }),
      unsignedToken({ name: "alice" }),
      unsignedToken(null),
      unsignedToken(["alice"]),
      `${unsignedToken({ sub: "alice" })}, ${unsignedToken({ sub: "alice" })}`,
    ];
    for (const authorization of values)
      assert.deepEqual(await pidsOf(believing, { authorization }), [], authorization.slice(0, 80));
  });

  it("may be a number, and a number is the same as its text", async () => {
    const [number, text] = [unsignedToken({ sub: 42 }), unsignedToken({ sub: "42" })];
    const pids = await pidsOf(believing, { authorization: number });
    assert.deepEqual(pids, believing.lookUp("jwt:sub", "42")?.write);
    assert.deepEqual(await pidsOf(believing, { authorization: text }), pids);
  });

  it("may stand deeper, or under a name with dots", async () => {
    const of = (claim: string) => new Identities([{ jwt: { header: "x-jwt", claim } }], [SECRET]);
    const uri = "https://shop.example/user.id";
    const token = unsignedToken({ [uri]: "u1", user: { id: "u2" }, "user.name": "u3", sub: "u4" });
    for (const [claim, value] of [
      [uri, "u1"],
      ["user.id", "u2"],
      ["user.name", "u3"],
    ] as const) {
      const identities = of(claim);
      const pids = await pidsOf(identities, { "x-jwt": token });
      assert.deepEqual(pids, identities.lookUp(`jwt:${claim}`, value)?.write);
    }
    for (const claim of ["user", "sub.length", "user.id.x", "constructor.name", "__proto__"])
      assert.deepEqual(await pidsOf(of(claim), { "x-jwt": token }), [], claim);
  });

  it("is one user in a header and in a cookie", async () => {
    const identities = new Identities(
      [identityOf({ header: "authorization" }), identityOf({ cookie: "session" })],
      [SECRET],
    );
    const [one, other] = [unsignedToken({ sub: "alice", exp: 1 }), unsignedToken({ sub: "alice", exp: 2 })];
    const both = { authorization: one, cookie: `a=b; session=${other}` };
    assert.deepEqual(await pidsOf(identities, both), await pidsOf(identities, { authorization: one }));
    assert.equal((await pidsOf(identities, both)).length, 1);
  });

  it("counts beside other identities, which count without it", async () => {
    const keys = jwks(new Issuer().jwk());
    const identities = new Identities(
      [identityOf({ header: "x-jwt" }, keys), { cookie: "session" }],
      [SECRET],
    );
    const forged = { "x-jwt": unsignedToken({ sub: "alice" }), cookie: "session=s1" };
    assert.deepEqual(await pidsOf(identities, forged), identities.lookUp("cookie:session", "s1")?.write);
  });

  it("is established by a cookie that a response sets, and by the principal it names", async () => {
    const issuer = new Issuer();
    const identities = new Identities([identityOf({ cookie: "session" }, jwks(issuer.jwk()))], [SECRET]);
    const token = await issuer.token({ sub: "alice" });
    const { write } = identities.establishedBy({ "set-cookie": [`session=${token}; HttpOnly; Path=/`] });
    assert.equal(write.length, 1);
    assert.deepEqual(await pidsOf(identities, { cookie: `session=${token}` }), write);
    assert.deepEqual(identities.establishedBy({ "x-meridian-principal": "alice" }).write, write);
    for (const line of [`other=${token}`, "session=", "session=no-token"])
      assert.deepEqual(identities.establishedBy({ "set-cookie": [line] }).write, []);
  });

  it("is looked up by the claim's value, or by a token that has it", async () => {
    const identities = new Identities(
      [identityOf({ header: "authorization" }, jwks(new Issuer().jwk()))],
      [SECRET],
    );
    const pids = identities.lookUp("jwt:sub", "alice");
    assert.equal(pids?.write.length, 1);
    assert.deepEqual(identities.lookUp("jwt:sub", unsignedToken({ sub: "alice" })), pids);
    assert.deepEqual(identities.lookUp("jwt:sub", `Bearer ${unsignedToken({ sub: "alice" })}`), pids);
    assert.notDeepEqual(identities.lookUp("jwt:sub", "www.alice.example"), pids);
    assert.equal(identities.lookUp("jwt:uid", "alice"), null);
    assert.equal(identities.lookUp("header:authorization", "alice"), null);
  });

  it("gets no cookie of ours", () => {
    assert.equal(new Identities([identityOf({ cookie: "meridian_id" })], [SECRET]).newAnonymous(), null);
  });
});

describe("a token that is verified", () => {
  for (const alg of ["RS256", "ES256", "ES384", "ES512", "EdDSA"] as const) {
    it(`may be signed with ${alg}, by a key in PEM or in a JWKS`, async () => {
      const [issuer, stranger] = [new Issuer(alg), new Issuer(alg)];
      const token = await issuer.token({ sub: "alice" });
      for (const keys of [keysIn(keysOfPem(issuer.pem)), jwks(issuer.jwk({ kid: "k1", alg, use: "sig" }))]) {
        assert.equal(await subjectOf(token, keys), "alice");
        assert.equal(await subjectOf(await stranger.token({ sub: "alice" }), keys), null);
      }
    });
  }

  it("may be signed with any RSA algorithm, unless its key names one", async () => {
    const issuer = new Issuer("RS256");
    const token = await issuer.token({ sub: "alice" }, { alg: "PS512" });
    assert.equal(await subjectOf(token, jwks(issuer.jwk())), "alice");
    assert.equal(await subjectOf(token, jwks(issuer.jwk({ alg: "RS256" }))), null);
  });

  it("may be signed with a secret of the JWKS", async () => {
    const secret = "a secret of thirty-two characters";
    const k = Buffer.from(secret).toString("base64url");
    const token = await hmacToken({ sub: "alice" }, secret);
    assert.equal(await subjectOf(token, jwks({ kty: "oct", k })), "alice");
    const other = await hmacToken({ sub: "alice" }, "another secret of the same length");
    assert.equal(await subjectOf(other, jwks({ kty: "oct", k })), null);
  });

  it("names its user after it has expired, and before it is valid", async () => {
    const issuer = new Issuer();
    const keys = jwks(issuer.jwk());
    assert.equal(await subjectOf(await issuer.token({ sub: "alice", exp: HOUR_AGO }), keys), "alice");
    const early = await issuer.token({ sub: "alice", nbf: HOUR_AGO + 7_200 });
    assert.equal(await subjectOf(early, keys), "alice");
  });

  it("is refused when nobody signed it, whatever it says", async () => {
    const issuer = new Issuer("RS256");
    for (const keys of [keysIn(keysOfPem(issuer.pem)), jwks(issuer.jwk(), { kty: "oct", k: "AAAA" })])
      for (const alg of ["none", "None", "", "RS256", "HS256"])
        assert.equal(await subjectOf(unsignedToken({ sub: "alice" }, alg), keys), null, alg);
  });

  it("is refused when it is signed with the public key as if that were a secret", async () => {
    const issuer = new Issuer("RS256");
    const der = issuer.publicKey.export({ type: "spki", format: "der" });
    for (const secret of [issuer.pem, issuer.pem.trim(), der, JSON.stringify(issuer.jwk())]) {
      const token = await hmacToken({ sub: "alice" }, secret);
      assert.equal(await subjectOf(token, keysIn(keysOfPem(issuer.pem))), null);
      assert.equal(await subjectOf(token, jwks(issuer.jwk({ kid: "k1" }))), null);
    }
  });

  it("is refused when its claims or its signature were changed", async () => {
    const issuer = new Issuer();
    const keys = jwks(issuer.jwk());
    const [alice = "", bob = ""] = await Promise.all(["alice", "bob"].map((sub) => issuer.token({ sub })));
    const [header, claims] = alice.split(".");
    assert.equal(await subjectOf(`${header}.${bob.split(".")[1]}.${alice.split(".")[2]}`, keys), null);
    assert.equal(await subjectOf(`${header}.${claims}.`, keys), null);
    assert.equal(await subjectOf(`${header}.${claims}.${"A".repeat(86)}`, keys), null);
  });

  it("brings no key of its own", async () => {
    const [issuer, stranger] = [new Issuer(), new Issuer()];
    const keys = jwks(issuer.jwk({ kid: "k1" }));
    const token = await stranger.token({ sub: "alice" }, { jwk: stranger.jwk(), kid: "k1" });
    assert.equal(await subjectOf(token, keys), null);
  });

  it("is verified by the key it names, and without a name by any that fits", async () => {
    const [old, young] = [new Issuer(), new Issuer()];
    const keys = jwks(old.jwk({ kid: "old" }), young.jwk({ kid: "young" }), new Issuer("RS256").jwk());
    assert.equal(await subjectOf(await young.token({ sub: "alice" }, { kid: "young" }), keys), "alice");
    assert.equal(await subjectOf(await young.token({ sub: "alice" }, { kid: "old" }), keys), null);
    assert.equal(await subjectOf(await young.token({ sub: "alice" }, { kid: "other" }), keys), null);
    assert.equal(await subjectOf(await young.token({ sub: "alice" }), keys), "alice");
    const nameless = keysIn(keysOfPem(young.pem));
    assert.equal(await subjectOf(await young.token({ sub: "alice" }, { kid: "young" }), nameless), "alice");
  });
});

describe("the verdict on a token", () => {
  it("is waited for once, and known to every request from then on", async () => {
    const issuer = new Issuer();
    const identities = new Identities([identityOf({ header: "x-jwt" }, jwks(issuer.jwk()))], [SECRET]);
    const headers = { "x-jwt": await issuer.token({ sub: "alice" }) };
    assert.equal(identities.identitiesOf(headers).write.length, 0, "believed before it was verified");
    const waiting = identities.prepare(headers);
    assert.ok(waiting);
    await waiting;
    assert.equal(identities.prepare({ ...headers }), null);
    assert.equal(identities.identitiesOf({ ...headers }).write.length, 1);
  });

  it("is the same for requests that come together", async () => {
    const issuer = new Issuer();
    const reader = new VerifiedClaims("sub", jwks(issuer.jwk()));
    const token = await issuer.token({ sub: "alice" });
    const first = reader.prepare(token);
    assert.equal(reader.prepare(token), first);
    await first;
    assert.equal(reader.prepare(token), null);
  });

  it("is not waited for when no key fits, nothing is there, or nothing is to be verified", async () => {
    const issuer = new Issuer();
    const token = await issuer.token({ sub: "alice" });
    const verifying = new Identities([identityOf({ header: "x-jwt" }, jwks(issuer.jwk()))], [SECRET]);
    for (const headers of [{}, { "x-jwt": "garbage" }, { "x-jwt": unsignedToken({ sub: "alice" }) }])
      assert.equal(verifying.prepare(headers), null);
    const others = new Identities([identityOf({ header: "x-jwt" }), { header: "x-user" }], [SECRET]);
    assert.equal(others.prepare({ "x-jwt": token, "x-user": "alice" }), null);
  });

  it("is kept of a refused token too", async () => {
    const reader = new VerifiedClaims("sub", jwks(new Issuer().jwk()));
    const forged = await new Issuer().token({ sub: "alice" });
    await reader.prepare(forged);
    assert.equal(reader.prepare(forged), null);
    assert.equal(reader.read(forged), null);
  });

  it("is forgotten when thousands have come since it was last asked for, and can be had again", async () => {
    const secret = "a secret of thirty-two characters";
    const keys = jwks({ kty: "oct", k: Buffer.from(secret).toString("base64url") });
    const reader = new VerifiedClaims("sub", keys);
    const token = (sub: number) => hmacToken({ sub }, secret);
    const [asked, unasked] = [await token(-1), await token(-2)];
    await Promise.all([reader.prepare(asked), reader.prepare(unasked)]);
    for (let i = 0; i < 4_096; i += 1) {
      await reader.prepare(await token(i));
      assert.equal(reader.read(asked), "-1");
    }
    assert.equal(reader.read(unasked), null);
    await reader.prepare(unasked);
    assert.equal(reader.read(unasked), "-2");
  });
});

it("an identity whose keys were never read is a mistake, not an identity that believes all", () => {
  const jwt = { header: "x-jwt", claim: "sub", keyFile: { file: "a.pem", keys: null } };
  assert.throws(() => new Identities([{ jwt }], [SECRET]), RangeError);
});
