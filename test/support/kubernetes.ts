import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Manifest } from "./helm/chart.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** Where kubernetes-models has the kinds that are deployed. */
const MODULES: Readonly<Record<string, string>> = {
  v1: "kubernetes-models/v1",
  "apps/v1": "kubernetes-models/apps/v1",
  "autoscaling/v2": "kubernetes-models/autoscaling/v2",
  "networking.k8s.io/v1": "kubernetes-models/networking.k8s.io/v1",
  "policy/v1": "kubernetes-models/policy/v1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};

/**
 * What Kubernetes would not take in these manifests; empty when it takes them all. Its published schemas let any key
 * pass, so they are checked as TypeScript as well, which knows of no others; the schemas check formats.
 */
export async function manifestProblems(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const unknown = manifests.filter(({ apiVersion }) => MODULES[apiVersion] === undefined);
  if (unknown.length > 0) return unknown.map(({ apiVersion, kind }) => `${apiVersion} ${kind}: not known`);
  const formats = await Promise.all(manifests.map(formatProblem));
  return [...formats.filter((problem) => problem !== null), ...(await typeProblems(manifests))];
}

async function formatProblem(manifest: Manifest): Promise<string | null> {
  const models = await import(MODULES[manifest.apiVersion] ?? "");
  try {
    new models[manifest.kind](manifest).validate();
    return null;
  } catch (error) {
    return `${manifest.kind} ${manifest.metadata.name}: ${(error as Error).message}`;
  }
}

async function typeProblems(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "meridian-manifests-"));
  try {
    await symlink(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
    await writeFile(path.join(folder, "package.json"), '{ "type": "module" }');
    const file = path.join(folder, "manifests.ts");
    const lines = manifests.map(
      (manifest, index) =>
        `import { type I${manifest.kind} as K${index} } from "${MODULES[manifest.apiVersion]}";\n` +
        `export const m${index}: K${index} = ${JSON.stringify(manifest, null, 1)};\n`,
    );
    await writeFile(file, lines.join(""));
    const tsc = path.join(ROOT, "node_modules/.bin/tsc");
    const options = [
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--target",
      "esnext",
    ];
    const { stdout } = await run(tsc, [...options, "--types", "node", file]).catch((failed) => failed);
    return stdout.split("\n").filter((line: string) => line.includes("error"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
