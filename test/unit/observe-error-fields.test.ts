import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { errorFields, scrubbed } from "../../src/observe/error-fields.ts";

describe("an error in the log", () => {
  it("is its type, message, code and stack, and those of its causes", () => {
    const cause = Object.assign(new RangeError("inner"), { code: "EINNER" });
    const fields = errorFields(new TypeError("outer", { cause }));
    assert.deepEqual(
      [fields.type, fields.message, fields.cause?.type, fields.cause?.message, fields.cause?.code],
      ["TypeError", "outer", "RangeError", "inner", "EINNER"],
    );
    assert.match(fields.stack, /observe-error-fields\.test/);
  });

  it("does not hold what a library has hung on it", () => {
    const command = { name: "auth", args: ["hunter2"] };
    const input = "redis://:hunter2@10.0.0.5";
    const headers = { authorization: "Bearer hunter2" };
    const inner = Object.assign(new Error("inner"), { command, input, headers });
    const error = Object.assign(new Error("WRONGPASS", { cause: inner }), {
      command,
      previousErrors: [inner],
    });
    const all = new AggregateError([error], "all");
    for (const each of [error, all]) assert.doesNotMatch(JSON.stringify(errorFields(each)), /hunter2/);
    assert.equal(errorFields(all).errors?.[0]?.message, "WRONGPASS");
  });

  it("does not hold the password or the query of a URL in its message, stack or causes", () => {
    const text =
      "cannot reach rediss://me:hunter2@10.0.0.5:6379/0 nor https://h/x?key=hunter2#hunter2, sorry";
    const error = new Error(text, { cause: new Error(text) });
    assert.doesNotMatch(JSON.stringify(errorFields(error)), /hunter2/);
    assert.equal(
      errorFields(error).message,
      "cannot reach rediss://[redacted]@10.0.0.5:6379/0 nor https://h/x?[redacted] sorry",
    );
  });

  it("is bounded when it is its own cause, or holds very many", () => {
    const error: Error & { cause?: unknown } = new Error("round");
    error.cause = error;
    assert.ok(JSON.stringify(errorFields(error)).length < 20_000);
    const many = new AggregateError(Array.from({ length: 1_000 }, () => new Error("each")));
    assert.equal(errorFields(many).errors?.length, 10);
  });

  it("may be anything that was thrown", () => {
    for (const thrown of [undefined, null, "text", 7, {}])
      assert.equal(typeof errorFields(thrown).type, "string");
    assert.equal(errorFields("at redis://:hunter2@h").message, "at redis://[redacted]@h");
  });

  it("shows no password, however a URL is written", () => {
    const part = fc.stringMatching(/^[A-Za-z0-9:@%!$&'()*+,;=._~-]{0,10}$/);
    fc.assert(
      fc.property(part, part, fc.constantFrom("", "/", "?a=b", ":6379/0"), (before, behind, rest) => {
        const shown = scrubbed(`failed: redis://${before}hunter2${behind}@10.0.0.5${rest} (code)`);
        fc.pre(!/['"<>\s]/.test(before + behind));
        assert.doesNotMatch(shown, /hunter2/);
      }),
    );
  });
});
