import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readCookie, readSetCookie, setCookie } from "../../src/consistency/cookies.ts";

describe("a named cookie", () => {
  const rows: readonly [string, string | undefined, string | null][] = [
    ["is read from among others", "a=1; id=2; b=3", "2"],
    ["is read without spaces", "a=1;id=2", "2"],
    ["is read past stray semicolons", ";; ;id=2;", "2"],
    ["keeps equals signs and quotes in its value", 'id="a=b=="', '"a=b=="'],
    ["is the first of its name", "id=1; id=2", "1"],
    ["is not found inside another's name or value", "xid=1; idx=2; c=id", null],
    ["is not decoded", "id=%20", "%20"],
    ["is absent when empty", "id=", null],
    ["is absent when it has no equals sign", "id", null],
    ["is absent without a header", undefined, null],
    ["is case-sensitive", "ID=1", null],
  ];
  for (const [name, header, expected] of rows)
    it(name, () => assert.equal(readCookie(header, "id"), expected));

  it("is set so that it can be read back", () => {
    const line = setCookie("id", "abc", { maxAgeSeconds: 10, secure: true });
    assert.deepEqual(readSetCookie(line), ["id", "abc"]);
  });

  it("is nothing in a line that sets nothing", () => {
    assert.deepEqual(readSetCookie("; Path=/"), ["", ""]);
  });
});
