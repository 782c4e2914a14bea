import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import { chartWith, type Manifest, manifestsOf, renderTexts } from "../support/helm/chart.ts";
import { VALUE_SETS } from "../support/helm/values.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const HELM = process.env.HELM ?? "helm";
const KUBECTL = process.env.KUBECTL ?? "kubectl";
const run = promisify(execFile);

function missing(program: string, says: readonly string[]): string | false {
  try {
    execFileSync(program, says, { stdio: "ignore" });
    return false;
  } catch {
    return `no ${program} here`;
  }
}

/** In one order. YAML may be written in more than one way, and so has more than one sum. */
function compared(manifests: readonly Manifest[]): unknown {
  const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;
  const sorted = manifests.toSorted((one, other) => nameOf(one).localeCompare(nameOf(other)));
  return JSON.parse(JSON.stringify(sorted), (key, value) => {
    if (key.startsWith("checksum/")) return "sum";
    return key === "meridian.yaml" ? parse(value) : value;
  });
}

async function output(program: string, ...args: readonly string[]): Promise<string> {
  return (await run(program, args, { cwd: ROOT, maxBuffer: 64 * 1_024 * 1_024 })).stdout;
}
const manifestsIn = (yaml: string) =>
  parseAllDocuments(yaml, { version: "1.1" })
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);

describe("what the tests render of the chart", { skip: missing(HELM, ["version"]) }, () => {
  let folder: string;
  let chart: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "meridian-helm-"));
    await output(HELM, "package", "deploy/helm/meridian", "-d", folder);
    const { version } = parse(await output(HELM, "show", "chart", "deploy/helm/meridian"));
    chart = path.join(folder, `meridian-${version}.tgz`);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [name, values] of Object.entries(VALUE_SETS))
    it(`is what Helm makes of the packaged chart: ${name}`, async () => {
      const file = path.join(folder, `${name}.json`);
      await writeFile(file, JSON.stringify(values));
      const asked = ["edges", chart, "-n", "edges", "-f", file];
      const ours = renderTexts(chartWith(values, "edges"));
      const theirs = manifestsIn(await output(HELM, "template", ...asked));
      assert.deepEqual(compared(manifestsOf(ours)), compared(theirs));
      const installed = await output(HELM, "install", "--dry-run=client", ...asked);
      assert.equal(installed.split("NOTES:\n")[1]?.trim(), ours["templates/NOTES.txt"]?.trim());
    });

  it("has nothing that Helm warns of", async () => {
    assert.match(
      await output(HELM, "lint", "deploy/helm/meridian"),
      /1 chart\(s\) linted, 0 chart\(s\) failed/,
    );
  });
});

describe("the plain manifests", { skip: missing(KUBECTL, ["version", "--client"]) }, () => {
  it("are put together by kubectl, all in one namespace and with the image that is named", async () => {
    const manifests = manifestsIn(await output(KUBECTL, "kustomize", "deploy/kubernetes"));
    const elsewhere = manifests.filter(
      ({ kind, metadata }) =>
        kind !== "Namespace" && (metadata as { namespace?: string }).namespace !== "meridian",
    );
    assert.deepEqual(elsewhere, []);
    assert.match(JSON.stringify(manifests), /"image":"registry\.example\/meridian:[\d.]+"/);
  });
});
