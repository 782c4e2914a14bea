// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold variables.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { configChanges } from "../../src/config/changes.ts";
import { escapeExpressions, expand, shield, unshield } from "../../src/config/environment.ts";
import { effectiveYaml, parseConfig } from "../../src/config/load.ts";
import { closest } from "../../src/config/spelling.ts";
import { formatDuration, formatSize, parseDuration } from "../../src/config/values.ts";

const duration = fc.integer({ min: 1, max: 86_400_000 }).map(formatDuration);
const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
const word = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => !/[\ue020-\ue07e]/.test(text));
const optional = { requiredKeys: [] };

const region = fc.record(
  {
    jurisdiction: word,
    location: fc.tuple(fc.integer({ min: -90, max: 90 }), fc.integer({ min: -180, max: 180 })),
    weight: fc.integer({ min: 1, max: 1_000 }),
    capacity: fc.integer({ min: 1, max: 100_000 }),
  },
  optional,
);

const regions = fc
  .uniqueArray(fc.tuple(name, region), { selector: ([key]) => key, minLength: 1, maxLength: 5 })
  .map((entries) =>
    Object.fromEntries(
      entries.map(([key, rest], index) => {
        const role = index === 0 ? "writer" : "replica";
        return [key, { ...rest, role, endpoints: [`http://10.0.0.${index + 1}:80`] }];
      }),
    ),
  );

/** A file without secrets, in which everything may be there or not. */
const file = fc.record(
  {
    edge: fc.record({ id: fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/) }, optional),
    health: fc.record({ maxLag: duration, rise: fc.integer({ min: 1, max: 100 }) }, optional),
    routing: fc.record(
      {
        policy: fc.constantFrom("latency", "priority", "weighted"),
        slowStart: duration,
        paths: fc.array(fc.record({ path: name.map((text) => `/${text}*`), as: fc.constant("read") })),
      },
      optional,
    ),
    affinity: fc.record({ enabled: fc.boolean() }, optional),
    consistency: fc.record(
      {
        identity: fc.uniqueArray(
          name.map((cookie) => ({ cookie })),
          { minLength: 1, maxLength: 3, selector: ({ cookie }) => cookie },
        ),
      },
      optional,
    ),
    proxy: fc.record({ idleTimeout: duration, maxBodyBytes: fc.nat() }, optional),
    regions,
  },
  { requiredKeys: ["regions"] },
);

describe("for every configuration", () => {
  test("what is printed reads back as the same, in the same order", () => {
    fc.assert(
      fc.property(file, (data) => {
        const loaded = parseConfig(escapeExpressions(stringify(data)), {});
        assert.ok(loaded.ok, JSON.stringify(loaded));
        const again = parseConfig(effectiveYaml(loaded.config), {});
        assert.ok(again.ok, JSON.stringify(again));
        assert.deepEqual(again.config, loaded.config);
        assert.deepEqual(Object.keys(again.config.regions), Object.keys(data.regions));
        assert.deepEqual(configChanges(loaded.config, again.config), []);
      }),
      { numRuns: 100 },
    );
  });
});

describe("whatever a file holds,", () => {
  const sane = (text: string, environment: Record<string, string>) => {
    const loaded = parseConfig(text, environment);
    const lines = text.split(/\r\n|\r|\n/).length;
    if (loaded.ok) return;
    assert.ok(loaded.problems.length > 0);
    for (const { line, column, message } of loaded.problems) {
      assert.ok(line >= 1 && line <= lines + 1, `line ${line} of ${lines}: ${message}`);
      assert.ok(column >= 1);
      assert.notEqual(message, "");
    }
  };

  test("random text is refused with a place, never with an exception", () => {
    const letters = fc.constantFrom(
      ..."ab:-?[]{},&*!|>'\"%@`#$\\ \t\n\r0~.",
      "${A}",
      "\ufeff",
      "\ue024",
      "\u2028",
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(letters, { maxLength: 60 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (given) => sane(given, { A: "- &x *x" })),
      { numRuns: 1_000 },
    );
  });

  test("random data is refused with a place, never with an exception", () => {
    const key = fc.constantFrom(
      "regions",
      "health",
      "interval",
      "identity",
      "eu",
      "__proto__",
      "constructor",
      "role",
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, 1, -0.5, Number.NaN, Infinity, "2s", "", "${A}", "writer"),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (data) => sane(stringify(data), { A: "\u0000" })),
      { numRuns: 500 },
    );
  });

  test("one key with any value is refused or taken, never with an exception", () => {
    const valid = stringify({ regions: { us: { role: "writer", endpoints: ["http://10.0.0.1:80"] } } });
    const section = fc.constantFrom(
      "edge",
      "listen",
      "admin",
      "secrets",
      "redis",
      "health",
      "routing",
      "failover",
    );
    fc.assert(
      fc.property(section, fc.anything({ maxDepth: 3 }), (name, value) => {
        const written =
          JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? 0 : inner)) ?? "null";
        sane(`${valid}${name}: ${written}\n`, {});
      }),
      { numRuns: 500 },
    );
  });

  test("deep, wide and repetitive files are refused in reasonable time", () => {
    const startedAt = performance.now();
    sane("[".repeat(100_000), {});
    sane("a: {".repeat(50_000), {});
    sane(Array.from({ length: 50_000 }, (_, index) => `k${index}: 1`).join("\n"), {});
    sane(
      "a: &a [1,1]\n".concat(
        ..."bcdefghij".split("").map((to, at) => `${to}: &${to} [${`*${"abcdefghi"[at]},`.repeat(9)}]\n`),
      ),
      {},
    );
    assert.ok(performance.now() - startedAt < 30_000);
  });
});

describe("for every text", () => {
  test("hiding its variables changes neither length nor lines, and can be undone", () => {
    const text = fc
      .array(fc.constantFrom("$", "{", "}", "A", ":-", "\n", "é", " "))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (given) => {
        assert.equal(unshield(shield(given)), given);
        assert.equal(shield(given).length, given.length);
        assert.equal(shield(given).split("\n").length, given.split("\n").length);
      }),
    );
  });

  test("escaping its variables leaves nothing to expand", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("$", "{", "}", "A")), (parts) => {
        const given = parts.join("");
        assert.deepEqual(expand(escapeExpressions(given), {}), { text: given, names: [], faults: [] });
      }),
    );
  });
});

test("a duration and a size are written as what they were read from", () => {
  fc.assert(fc.property(fc.nat(), (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)));
  assert.deepEqual([0, 1, 1_500, 60_000, 90_000, 3_600_000, 86_400_000].map(formatDuration), [
    "0ms",
    "1ms",
    "1500ms",
    "1m",
    "90s",
    "1h",
    "1d",
  ]);
  assert.deepEqual([0, 1_000, 1_024, 1_536, 8_388_608, 1_073_741_824].map(formatSize), [
    0,
    1_000,
    "1KiB",
    1_536,
    "8MiB",
    "1GiB",
  ]);
});

test("one typing error is recognised, another word is not", () => {
  const keys = ["interval", "timeout", "rise", "fall", "path"];
  assert.equal(closest("intervall", keys), "interval");
  assert.equal(closest("timoeut", keys), "timeout");
  assert.equal(closest("Rise", keys), "rise");
  assert.equal(closest("pth", keys), "path");
  assert.equal(closest("colour", keys), null);
});
