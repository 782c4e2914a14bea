import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { dockerfileStages, execForm } from "../support/dockerfile.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** The steps of the Dockerfile, as far as they need no network and no container. */
describe("what the image is made of", () => {
  let folder: string;
  let build: string;
  let app: string;
  /** Node's own arguments in the image. */
  let grants: readonly string[];

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "meridian-image-"));
    [build, app] = [path.join(folder, "build"), path.join(folder, "app")];
    const [, first = [], last = []] = await dockerfileStages();
    await mkdir(build);
    for (const { args } of first.filter(({ name }) => name === "COPY")) await copy(args, ROOT, build);
    await symlink(path.join(ROOT, "node_modules"), path.join(build, "node_modules"));
    await run(process.execPath, ["scripts/build.ts"], { cwd: build, env: withTools() });

    await mkdir(app);
    for (const { args } of last.filter(({ name }) => name === "COPY")) {
      const from = args.replace("--from=build /app/", "");
      if (from.startsWith("node_modules")) await productionOnly(path.join(app, "node_modules"));
      else await copy(from, from === args ? ROOT : build, app);
    }
    const entrypoint = execForm(last.find(({ name }) => name === "ENTRYPOINT")?.args ?? "") ?? [];
    grants = entrypoint.slice(1, -1);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** `COPY a b to`, of files and folders. */
  async function copy(args: string, from: string, to: string): Promise<void> {
    const words = args.split(" ");
    const target = words.pop() ?? "";
    for (const source of words) {
      const name = target.endsWith("/") ? path.join(target, path.basename(source)) : target;
      await cp(path.join(from, source), path.join(to, name), { recursive: true });
    }
  }

  /** What is left by `npm prune --omit=dev`. */
  async function productionOnly(target: string): Promise<void> {
    const lock = JSON.parse(await readFile(path.join(ROOT, "package-lock.json"), "utf8"));
    const packages = Object.entries(lock.packages as Record<string, { dev?: boolean; optional?: boolean }>);
    for (const [place, { dev }] of packages) {
      const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(place) ?? [];
      if (name === undefined || dev) continue;
      await mkdir(path.dirname(path.join(target, name)), { recursive: true });
      await cp(path.join(ROOT, "node_modules", name), path.join(target, name), { recursive: true });
    }
  }

  function withTools(): NodeJS.ProcessEnv {
    return { ...process.env, PATH: `${path.join(ROOT, "node_modules/.bin")}:${process.env.PATH}` };
  }

  const meridian = (...args: string[]) =>
    run(process.execPath, [...grants, path.join(app, "dist/main.js"), ...args], { cwd: app });

  it("runs without what only development needs, and with what its entry point grants", async () => {
    const { version } = JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8"));
    assert.equal((await meridian("--version")).stdout.trim(), version);
    const config = path.join(ROOT, "config/minimal.yaml");
    assert.match((await meridian("validate", "-c", config)).stdout, /: ok, /);
  });

  it("serves: an edge, three regions and visitors who read what they have written", async () => {
    const { stdout } = await meridian("demo", "--for", "3", "--plain", "--port", "0", "--admin-port", "0");
    assert.match(stdout, /, [1-9]\d* reads, [1-9]\d* writes, .*stale reads seen: 0$/m);
  });
});
