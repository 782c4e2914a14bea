import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { ANONYMOUS_COOKIE, Identities } from "../../src/consistency/identities.ts";

const OLD = "an old secret of ours";
const NEW = "a new secret of ours";

const pid = (name: string, secret = NEW): string =>
  createHmac("sha256", secret).update(name).digest("base64url").slice(0, 22);

describe("who a user is", () => {
  it("is the authorization header and our own cookie, when nothing is configured", () => {
    const identities = new Identities(undefined, [NEW]);
    const { write, read } = identities.identitiesOf({
      authorization: "Bearer abc",
      cookie: "theme=dark; meridian_id=xyz",
    });
    assert.deepEqual(write, [pid("header:authorization|Bearer abc"), pid("cookie:meridian_id|xyz")]);
    assert.deepEqual(read, write);
  });

  it("is nobody when no identity is present or all are empty", () => {
    const identities = new Identities(undefined, [NEW]);
    for (const headers of [{}, { authorization: " ", cookie: "meridian_id=; a=b" }, { cookie: "" }])
      assert.deepEqual(identities.identitiesOf(headers), { write: [], read: [] });
  });

  it("is every configured identity that is present, and no other", () => {
    const identities = new Identities([{ header: "x-user" }, { cookie: "session" }], [NEW]);
    const both = identities.identitiesOf({ "x-user": "42", cookie: "session=s1", authorization: "Basic x" });
    assert.deepEqual(both.write, [pid("header:x-user|42"), pid("cookie:session|s1")]);
    assert.deepEqual(identities.identitiesOf({ cookie: "session=s1" }).write, [pid("cookie:session|s1")]);
  });

  it("is the same user each time, whatever else is sent with it", () => {
    const identities = new Identities([{ header: "x-user" }, { cookie: "session" }], [NEW, OLD]);
    const alone = identities.identitiesOf({ "x-user": "42" });
    const expected = [pid("header:x-user|42"), pid("cookie:session|s1")];
    for (const cookie of ["session=s1", "a=b; session=s1", "session=s1; c=d"])
      assert.deepEqual(identities.identitiesOf({ "x-user": "42", cookie }).write, expected);
    assert.deepEqual(identities.identitiesOf({ "x-user": " 42 " }), alone);
    assert.deepEqual(identities.identitiesOf({ "x-user": "43" }).write, [pid("header:x-user|43")]);
  });

  it("is not the same for a header and a cookie of one value", () => {
    const identities = new Identities([{ header: "id" }, { cookie: "id" }], [NEW]);
    const [header, cookie] = identities.identitiesOf({ id: "7", cookie: "id=7" }).write;
    assert.notEqual(header, cookie);
  });

  it("shows no identity in a pid", () => {
    const [found] = new Identities([{ header: "x-user" }], [NEW]).identitiesOf({ "x-user": "alice" }).write;
    assert.match(found ?? "", /^[\w-]{22}$/);
  });

  it("is pinned under the first secret and looked up under all while secrets are rotated", () => {
    const identities = new Identities([{ header: "x-user" }], [NEW, OLD]);
    const { write, read } = identities.identitiesOf({ "x-user": "42" });
    assert.deepEqual(write, [pid("header:x-user|42", NEW)]);
    assert.deepEqual(read, [pid("header:x-user|42", NEW), pid("header:x-user|42", OLD)]);
  });

  it("can be looked up by an operator under the kinds that are configured", () => {
    const identities = new Identities([{ cookie: "session" }], [NEW, OLD]);
    assert.deepEqual(identities.lookUp("cookie:session", "s1")?.read, [
      pid("cookie:session|s1", NEW),
      pid("cookie:session|s1", OLD),
    ]);
    assert.equal(identities.lookUp("header:session", "s1"), null);
  });

  it("needs a secret", () => {
    assert.throws(() => new Identities(undefined, []), RangeError);
  });
});

describe("the identities that a response establishes", () => {
  const identities = new Identities([{ header: "x-user" }, { cookie: "session" }], [NEW]);

  it("are its configured cookies, whatever their attributes", () => {
    const headers = { "set-cookie": ["theme=dark; Path=/", "session=s2; HttpOnly; Path=/; Max-Age=60"] };
    assert.deepEqual(identities.establishedBy(headers).write, [pid("cookie:session|s2")]);
  });

  it("are those the browser will send back", () => {
    const { write } = identities.establishedBy({ "set-cookie": 'session="quoted=value"; Secure' });
    assert.deepEqual(identities.identitiesOf({ cookie: 'a=b;session="quoted=value"' }).write, write);
  });

  it("are none when a cookie is taken away", () => {
    assert.deepEqual(identities.establishedBy({ "set-cookie": ["session=; Max-Age=0"] }).write, []);
  });

  it("are every configured identity of the principal that the region names", () => {
    assert.deepEqual(identities.establishedBy({ "x-meridian-principal": "42" }).write, [
      pid("header:x-user|42"),
      pid("cookie:session|42"),
    ]);
  });
});

describe("an anonymous browser", () => {
  it("gets a cookie by which it is known from then on", () => {
    const identities = new Identities(undefined, [NEW]);
    const anonymous = identities.newAnonymous();
    const line = anonymous?.setCookie(false) ?? "";
    const [pair = ""] = line.split(";");
    assert.deepEqual(identities.identitiesOf({ cookie: pair }), anonymous?.pids);
    assert.match(line, /^meridian_id=[\w-]{22}; Path=\/; Max-Age=31536000; HttpOnly; SameSite=Lax$/);
  });

  it("gets a secure cookie over https", () => {
    assert.match(new Identities(undefined, [NEW]).newAnonymous()?.setCookie(true) ?? "", /; Secure$/);
  });

  it("gets a name of its own each time", () => {
    const identities = new Identities(undefined, [NEW]);
    assert.notDeepEqual(identities.newAnonymous()?.pids, identities.newAnonymous()?.pids);
  });

  it("stays nobody when the operator's identities leave our cookie out", () => {
    assert.equal(new Identities([{ cookie: "session" }], [NEW]).newAnonymous(), null);
    assert.notEqual(new Identities([{ cookie: ANONYMOUS_COOKIE }], [NEW]).newAnonymous(), null);
  });
});
