import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startWorld } from "../support/world.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const run = promisify(execFile);
/** What `npm pack` needs of a checkout: what the package holds, and what its JavaScript is made of. */
const SOURCES = ["package.json", "bin", "src", "config", "docs", "scripts/build.ts", "scripts/console"];
const TEXTS = ["README.md", "LICENSE", "SECURITY.md", "tsconfig.json", "tsconfig.build.json"];

describe("the npm package, installed in an empty folder", () => {
  let folder: string;
  let home: string;
  let world: SimulatedWorld;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "meridian-package-"));
    world = await startWorld();
    const checkout = path.join(folder, "checkout");
    for (const name of [...SOURCES, ...TEXTS])
      await cp(path.join(ROOT, name), path.join(checkout, name), { recursive: true });
    await symlink(path.join(ROOT, "node_modules"), path.join(checkout, "node_modules"));
    await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: checkout, env: npmEnv() });
    const [tarball] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
    home = path.join(folder, "empty");
    await mkdir(home);
    await run("npm", ["install", `../${tarball}`], { cwd: home, env: npmEnv() });
  });
  after(async () => {
    await world?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** As for a user who is not inside a checkout; what npm has fetched before is not fetched again. */
  function npmEnv(): NodeJS.ProcessEnv {
    const others = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
    return {
      ...Object.fromEntries(others),
      PATH: `${path.dirname(process.execPath)}:${path.join(ROOT, "node_modules/.bin")}:${process.env.PATH}`,
      npm_config_prefer_offline: "true",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_update_notifier: "false",
    };
  }

  const meridian = (...args: string[]) =>
    run("npx", ["--no-install", "meridian", ...args], { cwd: home, env: npmEnv() });

  it("is JavaScript alone: no TypeScript, no tests, nothing that only development needs", async () => {
    const installed = path.join(home, "node_modules/meridian-router");
    const files = await readdir(installed, { recursive: true });
    assert.ok(files.includes("dist/main.js"));
    assert.deepEqual(
      files.filter((file) => /\.ts$|^(src|test|scripts)\//.test(file)),
      [],
    );
    const { packages } = JSON.parse(await readFile(path.join(ROOT, "package-lock.json"), "utf8")) as {
      packages: Record<string, { dev?: boolean }>;
    };
    const there = await readdir(path.join(home, "node_modules"));
    assert.deepEqual(
      there.filter((name) => packages[`node_modules/${name}`]?.dev),
      [],
    );
  });

  it("has `meridian` on the path of npx, of the version that the package says", async () => {
    const { version } = JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8"));
    assert.equal((await meridian("--version")).stdout.trim(), version);
  });

  it("validates, with exit status 1 and every problem at its place when there is one", async () => {
    await writeFile(path.join(home, "meridian.yaml"), edgeYaml(world));
    assert.match((await meridian("validate", "-c", "meridian.yaml")).stdout, /: ok, /);
    await writeFile(path.join(home, "broken.yaml"), "regions:\n  a: { rolle: writer, endpoints: [] }\n");
    await assert.rejects(
      meridian("validate", "-c", "broken.yaml"),
      (error: { code: number; stderr: string }) => {
        assert.equal(error.code, 1);
        assert.match(error.stderr, /broken\.yaml:2:\d+.*rolle/);
        return true;
      },
    );
  });

  it("serves: a request is routed, and TERM ends it with status 0", async () => {
    const [http, admin] = [await freePort(), await freePort()];
    const ports = `listen: { http: { port: ${http} } }\nadmin: { port: ${admin} }`;
    await writeFile(path.join(home, "meridian.yaml"), edgeYaml(world, ports));
    const command = path.join(home, "node_modules/.bin/meridian");
    const edge = spawn(command, ["serve", "-c", "meridian.yaml"], {
      cwd: home,
      env: npmEnv(),
      stdio: "ignore",
    });
    try {
      const answer = await eventually(() => routed(`http://127.0.0.1:${http}/items/a`), { withinMs: 30_000 });
      assert.match(answer.headers.get("x-meridian-region") ?? "", /^(us-east|eu-west)$/);
    } finally {
      edge.kill("SIGTERM");
    }
    assert.equal(await exitStatus(edge), 0);
  });

  async function routed(url: string): Promise<Response> {
    const answer = await fetch(url);
    assert.ok(answer.status < 500, `status ${answer.status}`);
    return answer;
  }

  async function exitStatus(child: ChildProcess): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode;
  }
});
