// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold variables.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { configChanges, restartOnly } from "../../src/config/changes.ts";
import { type JsonSchema, jsonSchema } from "../../src/config/json-schema.ts";
import { effectiveYaml, formatProblem, parseConfig, redactedConfig } from "../../src/config/load.ts";

const SECRET_NAME = /secret|passw|passphrase|credential|token|sha256|key/i;
/** Name files, which hold what is secret, or not even that: a JWKS and a public key. */
const NAMES_A_FILE = /File$/;

/** Where a file may hold a secret, by the names of the keys: `admin.tokens[0].sha256`. */
function secretPaths(schema: JsonSchema, path = "", name = ""): readonly string[] {
  const below = [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
      secretPaths(inner, path === "" ? key : `${path}.${key}`, key),
    ),
    ...(typeof schema.items === "object" ? secretPaths(schema.items, `${path}[0]`, name) : []),
    ...(schema.anyOf ?? []).flatMap((inner) => secretPaths(inner, path, name)),
  ];
  const isText = schema.type === "string" && (schema.title === "secret" || SECRET_NAME.test(name));
  return isText && !NAMES_A_FILE.test(name) ? [...new Set([...below, path])] : [...new Set(below)];
}

const PATHS = secretPaths(jsonSchema());
/** URLs that may hold a password. */
const URLS = ["redis.url", "redis.sentinels[0]", "redis.cluster[0]", "failover.hook.url", "tracing.url"];

/** A sound file around whatever stands at a path. */
const SOUND = `
regions: { us: { role: writer, endpoints: [http://10.0.0.1:80] } }
secrets: [sixteen-letters-at-least]
admin: { tokens: [{ name: ops, role: operator, sha256: ${"ab".repeat(32)} }] }
consistency: { pinKeys: [another-sixteen-letters] }
failover: { hook: { url: http://10.0.0.9/promote } }
tracing: { url: "http://10.0.0.9:4318/v1/traces" }
redis: { url: "redis://10.0.0.5" }
`;

type Tree = Record<string, unknown>;

/** The file with another value at a path; around it as much as the path needs. */
function fileWith(path: string, value: unknown): string {
  const file: Tree = parse(SOUND);
  if (/^redis\.(sentinels|cluster)/.test(path))
    file.redis = path.includes("sent") ? { name: "mymaster" } : {};
  const steps = path
    .split(/\.|(?=\[)/)
    .map((step) => (step.startsWith("[") ? Number(step.slice(1, -1)) : step));
  let level: Tree = file;
  for (const [index, step] of steps.slice(0, -1).entries()) {
    const empty = typeof steps[index + 1] === "number" ? [] : {};
    level[step] ??= empty;
    level = level[step] as Tree;
  }
  level[steps.at(-1) ?? ""] = value;
  return stringify(file);
}

function planted(path: string, marker: string): string {
  if (path.endsWith("sha256")) return Buffer.from(marker.padEnd(32, "!")).toString("hex");
  if (path === "failover.hook.url" || path === "tracing.url")
    return `https://ops:${marker}@10.0.0.9/promote?key=${marker}#${marker}`;
  if (URLS.includes(path)) return `rediss://ops:${marker}@10.0.0.5:6379`;
  return `${marker}-with-sixteen-letters`;
}

/** Every form in which a marker could show. */
function assertHidden(marker: string, text: string, what: string): void {
  for (const form of [marker, Buffer.from(marker).toString("hex"), Buffer.from(marker).toString("base64url")])
    assert.ok(!text.includes(form), `${what} shows ${form} in:\n${text}`);
}

describe("a secret of the configuration", () => {
  it("stands at places that are known, and at whatever place a new key with such a name makes", () => {
    for (const path of ["secrets[0]", "redis.password", "consistency.pinKeys[0]", "admin.tokens[0].sha256"])
      assert.ok(PATHS.includes(path), `${path} in ${PATHS}`);
  });

  for (const path of [...PATHS, ...URLS]) {
    it(`at ${path} is in nothing that is shown, nor are its changes`, () => {
      const load = (marker: string) => {
        const loaded = parseConfig(fileWith(path, planted(path, marker)), {});
        assert.ok(loaded.ok, `${path}: ${JSON.stringify(loaded)}`);
        return loaded;
      };
      const [one, other] = [load("hunter2"), load("hunter3")];
      const changes = configChanges(one.config, other.config);
      assert.equal(changes.length, 1, "a change is told");
      const shown = [
        effectiveYaml(one.config),
        JSON.stringify(redactedConfig(one.config)),
        ...changes,
        ...restartOnly(one.config, other.config),
        JSON.stringify([one.warnings, other.warnings]),
      ].join("\n");
      for (const marker of ["hunter2", "hunter3"]) assertHidden(marker, shown, path);
    });
  }

  it("that stands alone before the @ is one too", () => {
    const loaded = parseConfig(fileWith("failover.hook.url", "https://hunter2@10.0.0.9/promote"), {});
    assert.ok(loaded.ok);
    assert.match(effectiveYaml(loaded.config), /url: https:\/\/\[redacted\]@10\.0\.0\.9\/promote/);
  });

  const marker = "hunter2";
  const sign = fc.string({ unit: fc.constantFrom(..."*&!|>%@`\"'{}[]:,#?- \\/=+$~<.0"), maxLength: 4 });
  /** A secret that somebody forgot to put in quotes, or wrote with a slip of the pen. */
  const slip = fc.tuple(sign, sign).filter(([before]) => !before.endsWith("${"));
  const NUMBER_OF_RUNS = 150;

  for (const path of [...PATHS, ...URLS]) {
    it(`at ${path} is not repeated by what is said of it, however it is written`, () => {
      fc.assert(
        fc.property(slip, ([before, behind]) => {
          const isUrl = URLS.includes(path);
          const secret = isUrl ? `redis://:${marker}${behind}@10.0.0.5:6379` : `${marker}${behind}`;
          const value = `${before}${secret}`;
          const file = fileWith(path, "PLACEHOLDER").replace("PLACEHOLDER", () => value);
          const loaded = parseConfig(file, {});
          const said = [...(loaded.ok ? [] : loaded.problems), ...loaded.warnings];
          assertHidden(marker, said.map((problem) => formatProblem("f", problem)).join("\n"), value);
          assertHidden(marker, JSON.stringify(said), value);
          if (loaded.ok) assertHidden(marker, effectiveYaml(loaded.config), value);
        }),
        { numRuns: NUMBER_OF_RUNS },
      );
    });
  }

  for (const [name, file] of [
    ["that became a key, for a space was missing", "redis: { url: redis://10.0.0.5, password:hunter2 }"],
    ["that became a key, for its own was forgotten", "redis: { url: redis://10.0.0.5, hunter2 }"],
    ["that became a key, URL and all", "redis: { redis://:hunter2@10.0.0.5 }"],
    ["that became a key of a token", "admin: { tokens: [{ name: ops, hunter2 }] }"],
    ["that stands twice", "redis: { a:hunter2: 1, a:hunter2: 2 }"],
    ["that comes from a variable", 'redis: { url: "${A_VARIABLE}" }'],
    ["that comes from a variable, and is too short", 'secrets: ["${A_VARIABLE}"]'],
    ["that is a default", 'redis: { url: "${NO_VARIABLE:-hunter2}" }'],
    ["in a sequence of blocks", "secrets:\n  - *hunter2\n  - |hunter2"],
  ] as const) {
    it(`${name} is not repeated either`, () => {
      const loaded = parseConfig(`regions: { us: { role: writer, endpoints: [http://h] } }\n${file}\n`, {
        A_VARIABLE: "hunter2",
      });
      assert.ok(!loaded.ok);
      assertHidden("hunter2", JSON.stringify(loaded.problems), name);
    });
  }
});
