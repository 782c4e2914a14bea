import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Signer } from "../../src/consistency/signer.ts";

const OLD = "an old secret of ours";
const NEW = "a new secret of ours";

describe("a signer", () => {
  it("reads back what it has signed", () => {
    const signer = new Signer([NEW]);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (payload) => {
        assert.equal(signer.verify("pin", signer.sign("pin", payload)), payload.toWellFormed());
      }),
    );
  });

  it("makes texts that fit into a cookie and a header", () => {
    assert.match(new Signer([NEW]).sign("affinity", "eu-west; ünïcode\r\n"), /^[\w-]+\.[\w-]{22}$/);
  });

  it("takes no text signed for another purpose", () => {
    const signer = new Signer([NEW]);
    assert.equal(signer.verify("pin", signer.sign("affinity", "eu-west")), null);
  });

  it("takes no text signed with another secret", () => {
    assert.equal(new Signer([NEW]).verify("pin", new Signer([OLD]).sign("pin", "x")), null);
  });

  it("signs with the first secret and verifies with all", () => {
    const rotating = new Signer([NEW, OLD]);
    assert.equal(rotating.verify("pin", new Signer([OLD]).sign("pin", "x")), "x");
    assert.equal(rotating.sign("pin", "x"), new Signer([NEW]).sign("pin", "x"));
  });

  it("takes no text of which one character was changed", () => {
    const signer = new Signer([NEW]);
    const text = signer.sign("pin", "1:1000:2000:3");
    for (let at = 0; at < text.length; at += 1) {
      const changed = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
      assert.equal(signer.verify("pin", changed), null, changed);
    }
  });

  it("answers null to anything else, and never throws", () => {
    const signer = new Signer([NEW]);
    const odd = fc.oneof(fc.string(), fc.constantFrom("", ".", "..", "a.", ".a", "a.b.c", "x".repeat(5_000)));
    fc.assert(fc.property(odd, (text) => signer.verify("pin", text) === null));
  });

  it("needs a secret", () => {
    assert.throws(() => new Signer([]), RangeError);
  });
});
