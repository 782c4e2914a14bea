import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { type TestContext, test } from "node:test";
import { rememberingLookup } from "../../src/regions/lookup.ts";

type Callback = Parameters<LookupFunction>[2];

/** A resolver that answers when told to. */
class Resolver {
  readonly asked: Callback[] = [];
  readonly #lookup = rememberingLookup((_hostname, _options, callback) => {
    this.asked.push(callback);
  });

  find(hostname = "us-east.example"): Promise<string> {
    return new Promise((resolve) => {
      this.#lookup(hostname, { all: true }, (error, found) =>
        resolve(error?.message ?? JSON.stringify(found)),
      );
    });
  }

  answer(address: string): void {
    this.asked.shift()?.(null, address);
  }

  fail(): void {
    this.asked.shift()?.(new Error("SERVFAIL"), "");
  }
}

function resolver(context: TestContext): Resolver {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  return new Resolver();
}

test("a changed address is followed with the next connection", async (context) => {
  const names = resolver(context);
  for (const address of ["10.0.0.1", "10.0.0.2"]) {
    const found = names.find();
    names.answer(address);
    assert.equal(await found, JSON.stringify(address));
  }
});

test("a resolver that fails leaves the last good address in force", async (context) => {
  const names = resolver(context);
  const first = names.find();
  names.answer("10.0.0.1");
  await first;
  const second = names.find();
  names.fail();
  assert.equal(await second, '"10.0.0.1"');
});

test("a resolver that dawdles does too, and its late answer counts the next time", async (context) => {
  const names = resolver(context);
  const first = names.find();
  names.answer("10.0.0.1");
  await first;
  const second = names.find();
  context.mock.timers.tick(500);
  assert.equal(await second, '"10.0.0.1"');
  names.answer("10.0.0.2");
  const third = names.find();
  names.fail();
  assert.equal(await third, '"10.0.0.2"');
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
