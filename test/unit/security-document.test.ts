// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sources under test are templates.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { CASES } from "../raw/cases/all.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (file: string) => readFile(new URL(file, ROOT), "utf8");

interface Promised {
  readonly text: string;
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

/** The rows of the section's tables; a name belongs to the file before it. */
function promisesIn(document: string): readonly Promised[] {
  const [, section = ""] = document.split("## What is promised");
  const [promises = ""] = section.split(/^## /m);
  const rows = [...promises.matchAll(/^\| (?!promise \|)([^|]+) \| (.+) \|$/gm)];
  return rows.map(([, text = "", kept = ""]) => {
    let file = "";
    const tests: { file: string; name: string }[] = [];
    for (const [, path, name] of kept.matchAll(/`(test\/[^`]+)`|"([^"]+)"/g)) {
      if (path !== undefined) file = path;
      else if (name !== undefined) tests.push({ file, name });
    }
    return { text, tests };
  });
}

/** Whether a test file has a test of that name: as a text of its own, or as what a template becomes with words of the file. */
function hasTest(source: string, name: string): boolean {
  if (['"', "'", "`"].some((quote) => source.includes(`${quote}${name}${quote}`))) return true;
  const templates = [...source.matchAll(/\b(?:it|test|describe)\(\s*`((?:\\.|\$\{[^}]*\}|[^`$])*)`/g)];
  return templates.some(([, template = ""]) => {
    const parts = template.split(/\$\{[^}]*\}/);
    const pattern = parts.map(literally).join("(.+)");
    const [matched, ...words] = new RegExp(`^${pattern}$`).exec(name) ?? [];
    return (
      matched !== undefined && parts.join("").length >= 20 && words.every((word) => hasWord(source, word))
    );
  });
}

function hasWord(source: string, word: string): boolean {
  return new RegExp(`(?<![\\w.-])${literally(word)}(?![\\w-])`).test(source);
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

const RAW = "test/raw/raw.test.ts";
const RAW_NAMES = new Set(CASES.map(({ group, name, does }) => `${group}: ${name}: ${does}`));

describe("SECURITY.md", () => {
  it("names for each promise a test that exists", async () => {
    const promises = promisesIn(await read("SECURITY.md"));
    assert.ok(promises.length > 35, `${promises.length} promises`);
    const missing: string[] = [];
    for (const { text, tests } of promises) {
      if (tests.length === 0) missing.push(`no test for: ${text}`);
      for (const { file, name } of tests) {
        const exists = existsSync(new URL(file, ROOT));
        const known = file === RAW ? RAW_NAMES.has(name) : exists && hasTest(await read(file), name);
        if (!known) missing.push(`${file} has no test "${name}"`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it("leaves no row out by being written in another way", async () => {
    const document = await read("SECURITY.md");
    const named = [...document.matchAll(/`test\/[^`]+\.test\.ts` "/g)].length;
    const files = promisesIn(document).flatMap(({ tests }) => [...new Set(tests.map(({ file }) => file))]);
    assert.equal(files.length, named);
  });

  it("says how to report a vulnerability, and what is not promised", async () => {
    const document = await read("SECURITY.md");
    assert.match(document, /^## Reporting a vulnerability$/m);
    assert.match(document, /^## What is not promised$/m);
  });

  for (const [source, name, verdict] of [
    ['it("does a thing", () => {})', "does a thing", true],
    ['it("does a thing", () => {})', "does a", false],
    ["it(`refuses a thing of ${glass}, always`, () => {})", "refuses a thing of glass, always", true],
    ["it(`refuses a thing of ${glass}, always`, () => {})", "refuses a thing of glass, at times", false],
    ["it(`refuses a thing of ${glass}, always`, () => {})", "refuses a thing of wood, always", false],
    [
      "it(`refuses a thing of ${stained-glass}, always`, () => {})",
      "refuses a thing of glass, always",
      false,
    ],
    ["it(`${one} and ${other}`, () => {})", "anything and everything", false],
  ] as const) {
    it(`${verdict ? "finds" : "does not find"} "${name}" in ${source}`, () =>
      assert.equal(hasTest(source, name), verdict));
  }
});
