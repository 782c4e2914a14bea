import assert from "node:assert/strict";
import crypto, { createHash } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { describe, it } from "node:test";
import { Access, type Caller, demand, exposure } from "../../src/admin/access.ts";
import { Lockout } from "../../src/admin/lockout.ts";
import { type PageHeaders, refusePages } from "../../src/admin/pages.ts";
import { Refusal } from "../../src/admin/problems.ts";
import { systemClock } from "../../src/clock.ts";
import { EventBus } from "../../src/events.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const TOKENS = [
  { name: "screen", role: "viewer" as const, sha256: sha256("look") },
  { name: "ops", role: "operator" as const, sha256: sha256("act") },
  { name: "more", role: "operator" as const, sha256: sha256("act too") },
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

function identify(
  authorization: string | undefined,
  admin: typeof GUARDED | typeof LOOPBACK = GUARDED,
): Caller {
  return new Access(admin, new Lockout(systemClock, new EventBus())).identify(authorization, "10.0.0.9");
}

describe("who is asking", () => {
  it("is the local operator without tokens", () => {
    assert.deepEqual(identify(undefined, LOOPBACK), { name: "local", role: "operator" });
  });
  it("is the viewer or operator whose token it is", () => {
    assert.deepEqual(identify("Bearer look"), { name: "screen", role: "viewer" });
    assert.deepEqual(identify("bearer act"), { name: "ops", role: "operator" });
  });

  const refused: [string, string | undefined][] = [
    ["without a token", undefined],
    ["with an empty one", "Bearer "],
    ["with a wrong one", "Bearer guess"],
    ["with the hash in place of the token", `Bearer ${sha256("act")}`],
    ["with the beginning of a token", "Bearer loo"],
    ["with a token in another case", "Bearer LOOK"],
    ["with more behind the token", "Bearer look act"],
    ["with another scheme", "Basic YWN0"],
  ];
  for (const [name, authorization] of refused) {
    it(`is refused ${name}`, () =>
      assert.equal(
        refusedWord(() => identify(authorization)),
        "unauthenticated",
      ));
  }

  it("is compared with every token in constant time, whichever fits", (t) => {
    const compare = t.mock.method(crypto, "timingSafeEqual");
    syncBuiltinESMExports();
    t.after(() => {
      compare.mock.restore();
      syncBuiltinESMExports();
    });
    const comparisons = (authorization: string) => {
      compare.mock.resetCalls();
      refusedWord(() => identify(authorization));
      const lengths = compare.mock.calls.map(({ arguments: [a, b] }) => a.byteLength + b.byteLength);
      assert.ok(
        lengths.every((length) => length === 64),
        "two hashes of 32 bytes",
      );
      return lengths.length;
    };
    assert.deepEqual(
      ["Bearer look", "Bearer act", "Bearer guess", "Bearer l"].map(comparisons),
      [3, 3, 3, 3],
    );
  });
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

describe("a call that a browser sends for a page", () => {
  const own = "127.0.0.1:9090";
  const LOCALHOST = { ...LOOPBACK, host: "localhost" };
  const accepted: [string, PageHeaders, typeof GUARDED | typeof LOOPBACK][] = [
    ["names this machine by an address", { host: own }, LOOPBACK],
    ["names it localhost, in any case", { host: "LocalHost:1" }, LOOPBACK],
    ["names it by IPv6", { host: "[::1]:9090" }, LOOPBACK],
    ["names it as it is configured", { host: "127.0.0.2" }, { ...LOOPBACK, host: "127.0.0.2" }],
    ["is of a page of this very listener", { host: own, origin: `http://${own}` }, LOOPBACK],
    ["is of such a page, and a token is needed", { host: own, origin: `http://${own}` }, GUARDED],
    ["is no page's, has any name and needs a token", { host: "edge.example" }, GUARDED],
    [
      "follows a link from elsewhere",
      { host: own, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
      LOOPBACK,
    ],
    ["is typed in", { host: own, "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }, LOOPBACK],
    ["is its own script's", { host: own, "sec-fetch-site": "same-origin" }, LOOPBACK],
  ];
  for (const [name, headers, admin] of accepted)
    it(`is taken when it ${name}`, () => refusePages(headers, admin));

  const rebound = { host: "evil.example:9090", origin: "http://evil.example:9090" };
  const refused: [string, PageHeaders, typeof GUARDED | typeof LOOPBACK][] = [
    ["has a foreign name, which may be rebound", { host: "evil.example:9090" }, LOOPBACK],
    ["has a name that only begins like ours", { host: "localhost.evil.example" }, LOOPBACK],
    ["has a name that only ends like ours", { host: "evil.localhost" }, LOOPBACK],
    ["has no Host", {}, LOOPBACK],
    ["has an empty Host", { host: "" }, LOCALHOST],
    ["comes from a page of another site", { host: own, origin: "https://evil.example" }, LOOPBACK],
    ["comes from such a page, which needs a token", { host: own, origin: "https://evil.example" }, GUARDED],
    ["comes from a page of another port", { host: own, origin: "http://127.0.0.1:3000" }, LOOPBACK],
    ["comes from a page that hides its origin", { host: own, origin: "null" }, LOOPBACK],
    ["comes from a page whose name was rebound", rebound, LOOPBACK],
    ["comes from such a page, which even knows a token", rebound, GUARDED],
    ["is embedded in another site", { host: own, "sec-fetch-site": "cross-site" }, LOOPBACK],
    [
      "is embedded in another port's page",
      { host: own, "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" },
      GUARDED,
    ],
  ];
  for (const [name, headers, admin] of refused) {
    it(`is refused when it ${name}`, () =>
      assert.equal(
        refusedWord(() => refusePages(headers, admin)),
        "foreign_origin",
      ));
  }
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
