import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { generatedFiles, pathOf } from "../../scripts/generate-schema.ts";
import { type JsonSchema, jsonSchema } from "../../src/config/json-schema.ts";
import { type Loaded, parseConfig } from "../../src/config/load.ts";
import { type Config, configSchema } from "../../src/config/schema.ts";

const environment = {
  HOSTNAME: "edge",
  MERIDIAN_SECRET: "a secret of the test",
  PROMOTE_TOKEN: "a-token-of-the-test",
  REDIS_PASSWORD: "a password of the test",
  HOOK_TOKEN: "a-token-of-the-hook",
  OPS_TOKEN_SHA256: "0a".repeat(32),
  GRAFANA_TOKEN_SHA256: "0b".repeat(32),
};

/** The kinds of geo-redundancy. */
const KINDS = ["active-passive.yaml", "partially-active.yaml", "fully-active.yaml"];

async function read(file: string): Promise<string> {
  return readFile(pathOf(`config/${file}`), "utf8");
}

function configOf(loaded: Loaded): Config {
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.config;
}

/** Keys that say in another way what another key in the file says; they stand there as comments. */
const INSTEAD = ["redis.sentinels", "redis.name", "redis.cluster"];

/** Keys that have no default are in the file behind a # that touches them. */
function withOptionalKeys(text: string): string {
  return text.replace(/^( *)#(?! )/gm, "$1").replace(/^( *)#(?= {2,}\S)/gm, "$1");
}

describe("of the files that are shipped", () => {
  for (const file of ["minimal.yaml", "meridian.yaml", ...KINDS]) {
    test(`${file} is a configuration`, async () => {
      assert.ok(configOf(parseConfig(await read(file), environment)).regions);
    });
  }

  for (const file of KINDS) {
    test(`${file} has nothing to warn of`, async () => {
      assert.deepEqual(parseConfig(await read(file), environment).warnings, []);
    });
  }

  test("minimal.yaml has three lines besides its comments", async () => {
    const lines = (await read("minimal.yaml"))
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    assert.equal(lines.length, 3);
  });

  test("meridian.yaml says nothing but the defaults", async () => {
    const written = configOf(parseConfig(await read("meridian.yaml"), environment));
    assert.deepEqual(written, configSchema.parse({ regions: written.regions }));
  });

  test("meridian.yaml has every key there is", async () => {
    const text = withOptionalKeys(await read("meridian.yaml"));
    const config = configOf(parseConfig(text, environment));
    const missing = leaves(jsonSchema()).filter((path) => !has(config, path));
    assert.deepEqual(
      missing.map((path) => path.join(".")),
      INSTEAD,
    );
    for (const path of missing) assert.match(text, new RegExp(`^ *# ${path.at(-1)}: `, "m"));
  });

  for (const [file, text] of generatedFiles()) {
    test(`${file} is up to date (npm run schema)`, async () => {
      assert.equal(await readFile(pathOf(file), "utf8"), text);
    });
  }
});

/** The paths of all keys; NAME is any region, lists are leaves. */
function leaves(schema: JsonSchema, path: readonly string[] = []): readonly (readonly string[])[] {
  const { properties, additionalProperties: rest } = schema;
  if (properties) return Object.entries(properties).flatMap(([key, inner]) => leaves(inner, [...path, key]));
  return typeof rest === "object" ? leaves(rest, [...path, "us-east"]) : [path];
}

function has(config: unknown, path: readonly string[]): boolean {
  const value = path.reduce<unknown>((level, key) => Object(level)[key], config);
  return value !== undefined;
}
