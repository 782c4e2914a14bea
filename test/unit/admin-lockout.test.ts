import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Access } from "../../src/admin/access.ts";
import { callerAddress } from "../../src/admin/address.ts";
import { Allowance } from "../../src/admin/allowance.ts";
import { Lockout } from "../../src/admin/lockout.ts";
import { Refusal } from "../../src/admin/problems.ts";
import { type EdgeEvents, EventBus } from "../../src/events.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HERE = "10.0.0.9";

function world() {
  let nowMs = 5_000;
  const clock = { now: () => nowMs, wall: () => nowMs };
  const events = new EventBus();
  const told: EdgeEvents["lockedOut"][] = [];
  events.on("lockedOut", (event) => told.push(event));
  const lockout = new Lockout(clock, events);
  const sha256 = createHash("sha256").update("act").digest("hex");
  const access = new Access({ tokens: [{ name: "ops", role: "operator", sha256 }] }, lockout);
  /** The fault a token is answered with, or whose it is. */
  const tryToken = (token: string | null, address = HERE): string => {
    try {
      return access.identify(token === null ? undefined : `Bearer ${token}`, address).name;
    } catch (error) {
      if (error instanceof Refusal) return error.word;
      throw error;
    }
  };
  const guess = (times: number, address = HERE) => {
    for (let each = 0; each < times; each += 1) tryToken(`guess ${each}`.replace(" ", "-"), address);
  };
  return { clock, lockout, access, told, tryToken, guess, pass: (ms: number) => (nowMs += ms) };
}

describe("an address that gives wrong tokens", () => {
  it("is locked out for a minute after ten within a minute, and told for how long", () => {
    const { access, tryToken, guess, pass, told } = world();
    guess(10);
    assert.equal(tryToken("guess"), "locked_out");
    assert.deepEqual(told, [{ address: HERE, wrongTokens: 10, lastsMs: MINUTE }]);
    pass(MINUTE - SECOND);
    assert.throws(
      () => access.identify("Bearer guess", HERE),
      (error: Refusal) => error.statusCode === 429 && error.extensions.retryAfterSeconds === 1,
    );
    pass(SECOND);
    assert.equal(tryToken("guess"), "unauthenticated");
    assert.equal(told.length, 1);
  });

  it("is not let in with a right token meanwhile, or guessing could go on", () => {
    const { tryToken, guess, pass } = world();
    guess(9);
    assert.equal(tryToken("act"), "ops");
    guess(1);
    assert.equal(tryToken("act"), "locked_out");
    assert.equal(tryToken(null), "locked_out");
    pass(MINUTE);
    assert.equal(tryToken("act"), "ops");
  });

  it("gains no guess by a right token in between", () => {
    const { tryToken, guess } = world();
    for (let each = 0; each < 5; each += 1) {
      guess(2);
      tryToken("act");
    }
    assert.equal(tryToken("act"), "locked_out");
  });

  it("is not locked out for nine a minute, however they lie", () => {
    const { tryToken, guess, pass, told } = world();
    for (let minute = 0; minute < 20; minute += 1) {
      guess(9);
      pass(MINUTE);
    }
    assert.equal(tryToken("act"), "ops");
    assert.deepEqual(told, []);
  });

  it("is locked out for ten within a minute, also across the turn of a minute", () => {
    const { tryToken, guess, pass } = world();
    pass(MINUTE - SECOND);
    guess(5);
    pass(2 * SECOND);
    guess(5);
    assert.equal(tryToken("act"), "locked_out");
  });

  it("does not lock itself out by calling without a token", () => {
    const { tryToken } = world();
    for (let each = 0; each < 50; each += 1) assert.equal(tryToken(null), "unauthenticated");
    assert.equal(tryToken("act"), "ops");
  });

  it("locks out nobody else", () => {
    const { tryToken, guess } = world();
    guess(20);
    assert.equal(tryToken("act", "10.0.0.10"), "ops");
  });

  it("does not lengthen its lock-out by going on", () => {
    const { tryToken, guess, pass } = world();
    guess(10);
    pass(MINUTE / 2);
    guess(50);
    pass(MINUTE / 2);
    assert.equal(tryToken("act"), "ops");
  });

  it("takes a bounded place in memory, whatever their number", () => {
    const { lockout, tryToken, guess } = world();
    for (let each = 0; each < 5_000; each += 1) guess(1, `10.1.${each >> 8}.${each & 255}`);
    assert.equal(lockout.remembered, 1_024);
    guess(10);
    assert.equal(tryToken("act"), "locked_out");
  });
});

describe("the address of a caller", () => {
  const same: [string, string | undefined, string][] = [
    ["is that of IPv4", "192.0.2.1", "192.0.2.1"],
    ["is that of IPv4 when it comes mapped into IPv6", "::ffff:192.0.2.1", "192.0.2.1"],
    ["is that of IPv4 when it comes mapped in capitals", "::FFFF:192.0.2.1", "192.0.2.1"],
    ["is the loopback's own", "::1", "::1"],
    ["is the /64 of IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["is the same /64 for every host in it", "2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["is the same however the zeros are written", "2001:0DB8:0001:2::1", "2001:db8:1:2::/64"],
    ["is without the name of an interface", "fe80::1%eth0", "fe80:0:0:0::/64"],
    ["is unknown once the connection is gone", undefined, "unknown"],
  ];
  for (const [name, address, expected] of same)
    it(name, () => assert.equal(callerAddress(address), expected));

  it("is one for each /64, whatever the address", () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((number) => number.toString(16));
    const groups = fc.array(group, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, groups, (one, other) => {
        const [network, host] = [one.slice(0, 4), other.slice(4)];
        const canonical = new URL(`http://[${[...network, ...host].join(":")}]`).hostname.slice(1, -1);
        fc.pre(!/^::(ffff:|1?$)/.test(canonical));
        assert.equal(callerAddress(canonical), `${network.join(":")}::/64`);
      }),
    );
  });
});

describe("an allowance", () => {
  const RATE = { atOnce: 20, perSecond: 1 };
  it("lets so many through at once, then at its rate, and says how many it held back", () => {
    const { clock, pass } = world();
    const allowance = new Allowance(clock, RATE);
    const through = (times: number) =>
      Array.from({ length: times }, () => allowance.take("a")).filter((held) => held !== null);
    assert.deepEqual(through(100), Array(20).fill(0));
    pass(SECOND);
    assert.deepEqual(through(50), [80]);
    pass(3 * SECOND);
    assert.deepEqual(through(50), [49, 0, 0]);
    pass(MINUTE);
    assert.equal(through(100).length, 20);
  });

  it("is each key's own", () => {
    const allowance = new Allowance(world().clock, RATE);
    for (let each = 0; each < 50; each += 1) allowance.take("a");
    assert.equal(allowance.take("b"), 0);
  });
});
