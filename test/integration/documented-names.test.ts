import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { quotedInSentences } from "../support/documents.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const run = promisify(execFile);
const sentences = quotedInSentences();
const helpOf = async (...command: readonly string[]) =>
  (await run(process.execPath, [path.join(ROOT, "src/main.ts"), ...command, "--help"])).stdout;

describe("the sentences of the documents", () => {
  it("name only npm scripts that there are", () => {
    const { scripts } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8"));
    const named = sentences.flatMap(({ document, quoted }) => {
      const [, script] = /^npm run (\S+)/.exec(quoted) ?? [];
      return script === undefined ? [] : [{ document, script }];
    });
    assert.ok(named.length > 20);
    assert.deepEqual(
      named.filter(({ script }) => !(script in scripts)),
      [],
    );
  });

  it("name only commands of meridian, and options of theirs, that there are", async () => {
    const named = sentences.flatMap(({ document, quoted }) => {
      const [, command] = /^(?:npx )?meridian ([a-z]+)\b/.exec(quoted) ?? [];
      return command === undefined ? [] : [{ document, quoted, command }];
    });
    const known = [...(await helpOf()).matchAll(/^ {2}([a-z]+)\b/gm)].map(([, command = ""]) => command);
    const commands = new Set(named.map(({ command }) => command).filter((command) => command !== "complete"));
    assert.deepEqual(
      [...commands].filter((command) => !known.includes(command)),
      [],
    );
    const helps = new Map<string, string>();
    for (const command of commands) helps.set(command, await helpOf(command));
    const options = named.flatMap(({ quoted, command }) =>
      [...quoted.matchAll(/ (--[a-z-]+)/g)].map(([, option = ""]) => ({ quoted, option, command })),
    );
    assert.ok(options.length > 10);
    assert.deepEqual(
      options.filter(({ option, command }) => !helps.get(command)?.includes(option)),
      [],
    );
  });

  it("name only files that there are", () => {
    const own = /^(src|docs|test|scripts|deploy|config|bench)\/[\w./-]+$/;
    // The recipes name files of other frameworks.
    const named = sentences.filter(
      ({ document, quoted }) => own.test(quoted) && !document.startsWith("docs/recipes/"),
    );
    assert.ok(named.length > 50);
    assert.deepEqual(
      named.filter(({ quoted }) => !existsSync(path.join(ROOT, quoted))),
      [],
    );
  });
});
