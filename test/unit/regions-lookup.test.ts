import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { type TestContext, test } from "node:test";
import { Names } from "../../src/regions/lookup.ts";

const NAME = "us-east.example";

type Callback = Parameters<LookupFunction>[2];

/** A resolver that answers when told to, at a time that is told too. */
class Resolver {
  readonly asked: Callback[] = [];
  nowMs = 0;
  readonly names = new Names(
    (_hostname, _options, callback) => {
      this.asked.push(callback);
    },
    { now: () => this.nowMs, wall: () => 0 },
  );

  find(hostname = NAME): Promise<string> {
    return new Promise((resolve) => {
      this.names.lookup(hostname, { all: true }, (error, found) =>
        resolve(error?.message ?? JSON.stringify(found)),
      );
    });
  }

  answer(...addresses: string[]): void {
    this.asked.shift()?.(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  }

  fail(): void {
    this.asked.shift()?.(new Error("SERVFAIL"), "");
  }

  /** Learns the addresses at that time. */
  async learn(nowMs: number, ...addresses: string[]): Promise<void> {
    this.nowMs = nowMs;
    const found = this.find();
    this.answer(...addresses);
    await found;
  }
}

function resolver(context: TestContext): Resolver {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  return new Resolver();
}

const at = (address: string): string => JSON.stringify([{ address, family: 4 }]);

test("a changed address is followed with the next connection", async (context) => {
  const names = resolver(context);
  for (const address of ["10.0.0.1", "10.0.0.2"]) {
    const found = names.find();
    names.answer(address);
    assert.equal(await found, at(address));
  }
});

test("a resolver that fails leaves the last good address in force", async (context) => {
  const names = resolver(context);
  const first = names.find();
  names.answer("10.0.0.1");
  await first;
  const second = names.find();
  names.fail();
  assert.equal(await second, at("10.0.0.1"));
});

test("a resolver that dawdles does too, and its late answer counts the next time", async (context) => {
  const names = resolver(context);
  const first = names.find();
  names.answer("10.0.0.1");
  await first;
  const second = names.find();
  context.mock.timers.tick(500);
  assert.equal(await second, at("10.0.0.1"));
  names.answer("10.0.0.2");
  const third = names.find();
  names.fail();
  assert.equal(await third, at("10.0.0.2"));
});

test("a name that was never resolved fails with the resolver's own error", async (context) => {
  const names = resolver(context);
  const known = names.find("us-east.example");
  names.answer("10.0.0.1");
  await known;
  const unknown = names.find("eu-west.example");
  context.mock.timers.tick(60_000);
  names.fail();
  assert.equal(await unknown, "SERVFAIL");
});

test("one that answers with no address at all is taken to have failed", async (context) => {
  const names = resolver(context);
  await names.learn(0, "10.0.0.1");
  const second = names.find();
  names.answer();
  assert.equal(await second, at("10.0.0.1"));
});

test("a question is asked once at a time, however many wait for it, and its answer is everybody's", async (context) => {
  const names = resolver(context);
  const found = [names.find(), names.find(), names.find()];
  assert.equal(names.asked.length, 1);
  names.answer("10.0.0.1");
  assert.deepEqual(await Promise.all(found), Array(3).fill(at("10.0.0.1")));
  void names.find();
  assert.equal(names.asked.length, 1);
});

test("whoever comes when a resolver has dawdled long enough waits no more", async (context) => {
  const names = resolver(context);
  await names.learn(0, "10.0.0.1");
  void names.find();
  names.nowMs = 500;
  assert.equal(await names.find(), at("10.0.0.1"));
});

test("an address is gone when answers have left it out for five seconds, and no sooner", async (context) => {
  const names = resolver(context);
  const gone = (address: string) => names.names.hasLeft(NAME, address);
  assert.equal(gone("10.0.0.1"), false, "nothing is known yet");
  await names.learn(0, "10.0.0.1", "10.0.0.2");
  await names.learn(4_000, "10.0.0.2");
  assert.deepEqual([gone("10.0.0.1"), gone("10.0.0.2")], [false, false]);
  await names.learn(5_000, "10.0.0.2");
  assert.deepEqual([gone("10.0.0.1"), gone("10.0.0.2")], [true, false]);
});

test("a name with many addresses may answer with some of them", async (context) => {
  const names = resolver(context);
  for (let second = 0; second < 60; second += 2) {
    await names.learn(second * 1_000, "10.0.0.1");
    await names.learn(second * 1_000 + 1_000, "10.0.0.2");
    assert.equal(names.names.hasLeft(NAME, "10.0.0.1") || names.names.hasLeft(NAME, "10.0.0.2"), false);
  }
});

test("a name in use is asked for again each second, and while nobody answers nothing is gone", async (context) => {
  const names = resolver(context);
  await names.learn(0, "10.0.0.1");
  names.nowMs = 900;
  names.names.hasLeft(NAME, "10.0.0.1");
  assert.equal(names.asked.length, 0);
  names.nowMs = 60_000;
  assert.equal(names.names.hasLeft(NAME, "10.0.0.1"), false);
  assert.equal(names.asked.length, 1);
  names.fail();
  assert.equal(names.names.hasLeft(NAME, "10.0.0.1"), false);
  assert.equal(names.asked.length, 0, "and a resolver that fails is not asked more often");
});
