import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { chartWith, type Manifest, manifestsOf, type Render, renderTexts } from "../support/helm/chart.ts";
import { VALUE_SETS } from "../support/helm/values.ts";

const ENGINE = path.join(import.meta.dirname, "../support/helm/engine");
/** Where Debian puts the sources of Go libraries. */
const SOURCES = "/usr/share/gocode";
const run = promisify(execFile);

function missing(): string | false {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
  } catch {
    return "no go here: apt-get install golang-go golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev";
  }
  return existsSync(`${SOURCES}/src/github.com/Masterminds/sprig`) ? false : "Sprig is missing";
}

describe("what the tests render of the chart", { skip: missing() }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "meridian-helm-"));
    const env = { ...process.env, GO111MODULE: "off", GOPATH: SOURCES, GOCACHE: path.join(folder, "cache") };
    await run("go", ["build", "-o", path.join(folder, "engine"), "."], { cwd: ENGINE, env });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function renderedByGo(render: Render): Promise<Readonly<Record<string, string>>> {
    const running = run(path.join(folder, "engine"), { maxBuffer: 64 * 1_024 * 1_024 });
    running.child.stdin?.end(
      JSON.stringify({ Templates: render.templates, Files: render.files, Context: render.context }),
    );
    return JSON.parse((await running).stdout);
  }

  /** YAML may be written in more than one way, and so has more than one sum. */
  function compared(manifests: readonly Manifest[]): unknown {
    return JSON.parse(JSON.stringify(manifests), (key, value) => {
      if (key.startsWith("checksum/")) return "sum";
      return key === "meridian.yaml" ? parse(value) : value;
    });
  }

  for (const [name, values] of Object.entries(VALUE_SETS))
    it(`is what Go's text/template and Sprig make of it: ${name}`, async () => {
      const render = chartWith(values, "edges");
      const [ours, theirs] = [renderTexts(render), await renderedByGo(render)];
      assert.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort());
      assert.equal(ours["templates/NOTES.txt"], theirs["templates/NOTES.txt"]);
      assert.deepEqual(compared(manifestsOf(ours)), compared(manifestsOf(theirs)));
    });
});
