import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { type AccessHeaders, demand, exposure, identify } from "../../src/admin/access.ts";
import { Refusal } from "../../src/admin/problems.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const TOKENS = [
  { name: "screen", role: "viewer" as const, sha256: sha256("look") },
  { name: "ops", role: "operator" as const, sha256: sha256("act") },
];
const LOOPBACK = { host: "127.0.0.1", port: 9090, tokens: [] };
const GUARDED = { host: "0.0.0.0", port: 9090, tokens: TOKENS };

function refusedWord(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error.word;
    throw error;
  }
  return "not refused";
}

describe("who is asking", () => {
  const accepted: [string, AccessHeaders, typeof GUARDED | typeof LOOPBACK, string][] = [
    ["is the local operator without tokens", { host: "127.0.0.1:9090" }, LOOPBACK, "local operator"],
    ["may name the machine localhost", { host: "LocalHost:1" }, LOOPBACK, "local operator"],
    ["may name the machine by IPv6", { host: "[::1]:9090" }, LOOPBACK, "local operator"],
    [
      "may name it as it is configured",
      { host: "127.0.0.2" },
      { ...LOOPBACK, host: "127.0.0.2" },
      "local operator",
    ],
    ["is the viewer whose token it is", { authorization: "Bearer look" }, GUARDED, "screen viewer"],
    ["is the operator whose token it is", { authorization: "bearer act" }, GUARDED, "ops operator"],
    [
      "may be a page of this very listener",
      { host: "127.0.0.1:9090", origin: "http://127.0.0.1:9090" },
      LOOPBACK,
      "local operator",
    ],
    [
      "may use any name with a token",
      { host: "edge.example", authorization: "Bearer act" },
      GUARDED,
      "ops operator",
    ],
  ];
  for (const [name, headers, admin, expected] of accepted) {
    it(name, () => {
      const caller = identify(headers, admin);
      assert.equal(`${caller.name} ${caller.role}`, expected);
    });
  }

  const refused: [string, AccessHeaders, typeof GUARDED | typeof LOOPBACK, string][] = [
    ["is refused without a token", {}, GUARDED, "unauthenticated"],
    ["is refused with a wrong token", { authorization: "Bearer guess" }, GUARDED, "unauthenticated"],
    [
      "is refused with the hash in place of the token",
      { authorization: `Bearer ${sha256("act")}` },
      GUARDED,
      "unauthenticated",
    ],
    ["is refused with another scheme", { authorization: "Basic YWN0" }, GUARDED, "unauthenticated"],
    [
      "is refused under a foreign name, which may be rebound",
      { host: "evil.example:9090" },
      LOOPBACK,
      "foreign_origin",
    ],
    [
      "is refused under a name that only begins like ours",
      { host: "localhost.evil.example" },
      LOOPBACK,
      "foreign_origin",
    ],
    ["is refused without a Host", {}, LOOPBACK, "foreign_origin"],
    [
      "is refused as a page of another site",
      { host: "127.0.0.1:9090", origin: "https://evil.example" },
      LOOPBACK,
      "foreign_origin",
    ],
    [
      "is refused as a page of another port",
      { host: "127.0.0.1:9090", origin: "http://127.0.0.1:3000" },
      LOOPBACK,
      "foreign_origin",
    ],
    [
      "is refused as a page that hides its origin",
      { host: "127.0.0.1:9090", origin: "null" },
      LOOPBACK,
      "foreign_origin",
    ],
  ];
  for (const [name, headers, admin, expected] of refused) {
    it(name, () =>
      assert.equal(
        refusedWord(() => identify(headers, admin)),
        expected,
      ),
    );
  }
});

describe("what one may do", () => {
  it("lets a viewer view", () => demand("viewer", { name: "screen", role: "viewer" }));
  it("lets an operator operate", () => demand("operator", { name: "ops", role: "operator" }));
  it("does not let a viewer operate", () => {
    assert.equal(
      refusedWord(() => demand("operator", { name: "screen", role: "viewer" })),
      "forbidden",
    );
  });
});

describe("a listener without tokens", () => {
  for (const host of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) {
    it(`may be on ${host}`, () => assert.equal(exposure({ ...LOOPBACK, host }), null));
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil.example", ""]) {
    it(`may not be on "${host}"`, () => assert.match(exposure({ ...LOOPBACK, host }) ?? "", /not loopback/));
  }
  it("may be anywhere once it has tokens", () => assert.equal(exposure(GUARDED), null));
});
