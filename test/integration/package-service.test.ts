import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { startWorld } from "../support/world.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const UNIT = path.join(ROOT, "deploy/systemd/meridian.service");
const run = promisify(execFile);

/** What the unit gives for a key, line by line. */
async function settings(key: string): Promise<readonly string[]> {
  const text = await readFile(UNIT, "utf8");
  return [...text.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

async function status(command: Promise<unknown>): Promise<number> {
  return command.then(
    () => 0,
    (error: { code: number }) => error.code,
  );
}

describe("the systemd unit", () => {
  let folder: string;
  let world: SimulatedWorld;
  let edge: EdgeProcess;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "meridian-unit-"));
    await symlink(path.join(ROOT, "bin/meridian.js"), path.join(folder, "meridian"));
    world = await startWorld();
    edge = await startEdgeProcess(edgeYaml(world));
  });
  after(async () => {
    await edge?.kill();
    await world?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** The unit's command on this machine, for a configuration and a main process of this test. */
  function here(command: string, configFile: string, pid: number): Promise<unknown> {
    const line = command
      .replaceAll("/usr/local/bin/meridian", path.join(folder, "meridian"))
      .replaceAll("/etc/meridian/meridian.yaml", configFile);
    const environment = {
      PATH: `${path.join(ROOT, "node_modules/.bin")}:${process.env.PATH}`,
      MERIDIAN_ADMIN: edge.adminUrl,
      MAINPID: String(pid),
    };
    return run("sh", ["-c", line], { env: environment, timeout: 30_000 });
  }

  it("has started when the edge is ready, and has failed when the edge is no more", async () => {
    const [untilReady = ""] = await settings("ExecStartPost");
    assert.equal(await status(here(untilReady, edge.configFile, edge.pid)), 0);
    const gone = await startEdgeProcess(edgeYaml(world));
    await gone.stop();
    const nobody = untilReady.replace("status --ready", "status --ready --admin http://127.0.0.1:1");
    assert.equal(await status(here(nobody, edge.configFile, gone.pid)), 1);
  });

  it("reloads a file that is good, and does not tell the edge of one that is not", async () => {
    const [check = "", tell = "", ...more] = await settings("ExecReload");
    assert.deepEqual(more, []);
    assert.equal(await status(here(check, edge.configFile, edge.pid)), 0);
    assert.equal(await status(here(tell, edge.configFile, edge.pid)), 0);
    await eventually(
      () => edge.logs().includes('"result":"unchanged"') || edge.logs().includes('"result":"applied"'),
    );
    const broken = path.join(folder, "broken.yaml");
    await writeFile(broken, "regions: {}\n");
    assert.equal(await status(here(check, broken, edge.pid)), 1);
  });

  it("gives a stop the time that it may take", async () => {
    const [stopSeconds] = await settings("TimeoutStopSec");
    const { stdout } = await run(process.execPath, [
      path.join(ROOT, "bin/meridian.js"),
      "validate",
      "--print",
      "-c",
      path.join(ROOT, "config/minimal.yaml"),
    ]);
    const [, graceSeconds] = /grace: (\d+)s/.exec(stdout) ?? [];
    const OVERDUE_SECONDS = 5;
    assert.ok(
      Number(stopSeconds) >= Number(graceSeconds) + OVERDUE_SECONDS,
      `${stopSeconds} and ${graceSeconds}`,
    );
  });

  it("is one that systemd understands, and exposes little", async (t) => {
    const found = await status(run("systemd-analyze", ["--version"]));
    if (found !== 0) return t.skip("no systemd-analyze here");
    const unit = path.join(folder, "meridian.service");
    const text = await readFile(UNIT, "utf8");
    await writeFile(unit, text.replaceAll("/usr/local/bin/meridian", path.join(folder, "meridian")));
    const { stdout, stderr } = await run("systemd-analyze", ["verify", unit]);
    assert.equal(stdout + stderr, "");
    // Of 100, where systemd itself calls what is below 20 no matter of concern.
    await run("systemd-analyze", ["security", "--offline=true", "--threshold=20", unit]);
  });
});
