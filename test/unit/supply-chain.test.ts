import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "yaml";
import { dockerfileStages, execForm, type Instruction } from "../support/dockerfile.ts";

const ROOT = new URL("../../", import.meta.url);
const run = promisify(execFile);

interface Package {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

async function json<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(new URL(file, ROOT), "utf8")) as T;
}

async function lock(): Promise<{ root: Package; installed: readonly (Package & { name: string })[] }> {
  const { packages, lockfileVersion } = await json<{
    packages: Record<string, Package>;
    lockfileVersion: number;
  }>("package-lock.json");
  assert.equal(lockfileVersion, 3);
  const { "": root, ...rest } = packages;
  assert.ok(root);
  const installed = Object.entries(rest).map(([path, found]) => ({
    ...found,
    name: path.replace(/^.*node_modules\//, ""),
  }));
  assert.ok(installed.length > 50);
  return { root, installed };
}

const names = (packages: readonly { name: string }[]) => packages.map(({ name }) => name);

describe("what is installed", () => {
  it("is what package.json says, each in one version and no other", async () => {
    const declared = await json<Package & { engines: Record<string, string> }>("package.json");
    const { root } = await lock();
    assert.deepEqual(root.dependencies, declared.dependencies);
    assert.deepEqual(root.devDependencies, declared.devDependencies);
    for (const [name, version] of Object.entries({ ...declared.dependencies, ...declared.devDependencies })) {
      assert.match(version, /^(npm:[a-z-]+@)?\d+\.\d+\.\d+$/, name);
    }
  });

  it("is known by its hash, and comes from whatever registry npm is told to ask", async () => {
    const { installed } = await lock();
    const loose = installed.filter(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""));
    assert.deepEqual(names(loose), []);
    assert.deepEqual(names(installed.filter(({ resolved }) => resolved !== undefined)), []);
    assert.deepEqual(names(installed.filter(({ link }) => link === true)), []);
  });

  it("runs nothing while it is installed, but what is allowed by name", async () => {
    const { allowScripts } = await json<{ allowScripts: Record<string, boolean> }>("package.json");
    const { installed } = await lock();
    const scripted = installed.filter(({ hasInstallScript }) => hasInstallScript);
    assert.deepEqual(names(scripted), Object.keys(allowScripts));
    assert.ok(
      scripted.every(({ dev }) => dev),
      "none of it is part of what runs in production",
    );
  });

  it("may be used and passed on: every licence of what runs in production is a permissive one", async () => {
    const permissive = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "ISC", "MIT"];
    const { installed } = await lock();
    const others = installed.filter(({ dev, license = "none" }) => !dev && !permissive.includes(license));
    assert.deepEqual(
      others.map(({ name, license }) => `${name}: ${license}`),
      [],
    );
  });

  it("is used: the code imports each dependency, and nothing that is not one", async () => {
    const { dependencies = {} } = await json<Package>("package.json");
    assert.deepEqual(importedIn("src/**/*.ts", ["src/console/**"]), Object.keys(dependencies).sort());
  });

  it("leaves out what the console is made of, which is built into it", async () => {
    const { devDependencies = {} } = await json<Package>("package.json");
    const imported = importedIn("src/console/**/*.{ts,tsx}");
    assert.ok(imported.includes("preact"));
    assert.deepEqual(
      imported.filter((name) => devDependencies[name] === undefined),
      [],
    );
  });
});

/** The packages that these files import, `node:` left out. */
function importedIn(pattern: string, exclude: readonly string[] = []): readonly string[] {
  const imported = new Set<string>();
  for (const file of globSync(pattern, { cwd: fileURLToPath(ROOT), exclude })) {
    const text = readFileSync(new URL(file, ROOT), "utf8");
    for (const [, name = ""] of text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*"([^".][^"]*)"/g)) {
      if (!name.startsWith("node:")) imported.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
    }
  }
  return [...imported].sort();
}

describe("the package", () => {
  it("holds what is needed to run it and to read about it, and nothing else", async () => {
    const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: ROOT,
      env: { ...process.env, npm_config_offline: "true", npm_config_loglevel: "error" },
    });
    const [{ files = [] } = {}] = JSON.parse(stdout) as { files: { path: string }[] }[];
    const paths = files.map(({ path }) => path);
    assert.ok(paths.includes("bin/meridian.js") && paths.includes("SECURITY.md"));
    const others = paths.filter(
      (path) => !/^(bin|dist|config|docs)\/|^(package\.json|README\.md|LICENSE|SECURITY\.md)$/.test(path),
    );
    assert.deepEqual(others, []);
    const odd = paths.filter((path) => /(^|\/)\.|\.(env|pem|key|crt|log|tgz)$|test/i.test(path));
    assert.deepEqual(odd, []);
  });
});

describe("the image", async () => {
  const [head = [], ...stages] = await dockerfileStages();
  const [build = [], last = []] = stages;
  const of = (stage: readonly Instruction[], name: string) =>
    stage.filter((instruction) => instruction.name === name).map(({ args }) => args);

  it("is made of one base in one version, which a release can pin to its digest", () => {
    assert.deepEqual(
      head.map(({ name, args }) => `${name} ${args.replace(/=.*/, "")}`),
      ["ARG NODE_VERSION", "ARG NODE_DIGEST"],
    );
    assert.match(of(head, "ARG")[0] ?? "", /=\d+\.\d+\.\d+$/);
    const base = `node:\${NODE_VERSION}-slim\${NODE_DIGEST}`;
    assert.deepEqual([...of(build, "FROM"), ...of(last, "FROM")], [`${base} AS build`, base]);
    assert.equal(stages.length, 2);
  });

  it("installs by the lock file, runs nobody's scripts for it, and leaves development out", () => {
    assert.match(of(build, "RUN")[0] ?? "", / npm ci --ignore-scripts /);
    assert.match(of(build, "RUN")[1] ?? "", / npm prune --omit=dev --ignore-scripts /);
    assert.deepEqual(of(build, "COPY")[0], "package.json package-lock.json ./");
  });

  it("copies what exists and what .dockerignore lets through, into its last stage only what runs", async () => {
    const ignore = await readFile(new URL(".dockerignore", ROOT), "utf8");
    assert.match(ignore, /^\*$/m);
    const through = [...ignore.matchAll(/^!(.+)$/gm)].map(([, path = ""]) => path);
    const sources = [...of(build, "COPY"), ...of(last, "COPY")]
      .filter((args) => !args.startsWith("--from"))
      .flatMap((args) => args.split(" ").slice(0, -1));
    for (const source of sources) {
      assert.ok(existsSync(new URL(source, ROOT)), source);
      assert.ok(through.includes(source), `${source} among ${through}`);
    }
    assert.deepEqual(of(last, "COPY"), [
      "--from=build /app/node_modules node_modules",
      "--from=build /app/dist dist",
      "package.json LICENSE ./",
    ]);
  });

  it("runs as a numbered user who is not root and to whom nothing in it belongs", () => {
    assert.deepEqual(of(last, "USER"), ["65532:65532"]);
    const order = last.map(({ name }) => name);
    assert.ok(order.lastIndexOf("RUN") < order.indexOf("USER"));
    assert.doesNotMatch([...of(build, "COPY"), ...of(last, "COPY")].join(), /--ch(own|mod)/);
    assert.doesNotMatch(of(last, "RUN").join(), /chown|chmod (?!a-s )/);
    assert.ok(
      of(last, "EXPOSE")
        .join(" ")
        .split(" ")
        .every((port) => Number(port) > 1_024),
    );
    assert.equal(of(last, "VOLUME").length, 0);
  });

  it("needs no shell, and is left no package manager and no file that changes who one is", () => {
    for (const name of ["ENTRYPOINT", "CMD", "HEALTHCHECK"]) {
      assert.equal(of(last, name).length, 1, name);
      assert.ok(execForm(of(last, name)[0] ?? ""), `${name} is in exec form`);
    }
    const [removed = "", ...more] = of(last, "RUN");
    assert.deepEqual(more, []);
    for (const what of ["/usr/local/lib/node_modules", "bin/npm", "bin/npx", "-perm /6000 -exec chmod a-s"])
      assert.ok(removed.includes(what), what);
  });

  it("holds no secret and fetches nothing but its base and its packages", () => {
    const given = [...head, ...build, ...last].filter(({ name }) => name === "ENV" || name === "ARG");
    assert.doesNotMatch(given.map(({ args }) => args).join("\n"), /secret|token|passw|key=/i);
    const all = stages
      .flat()
      .map(({ name, args }) => `${name} ${args}`)
      .join("\n");
    assert.doesNotMatch(all, /^ADD |curl|wget|apt-get|https?:/m);
  });
});

describe("the services of compose", async () => {
  const { services } = parse(await readFile(new URL("deploy/compose.yaml", ROOT), "utf8"), {
    merge: true,
  }) as {
    services: Record<string, Record<string, unknown>>;
  };

  for (const [name, service] of Object.entries(services)) {
    it(`have ${name} without a capability, on a disk that it cannot write to but for what it keeps`, () => {
      assert.deepEqual(service.cap_drop, ["ALL"]);
      assert.deepEqual(service.security_opt, ["no-new-privileges:true"]);
      assert.equal(service.read_only, true);
      for (const key of ["privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"])
        assert.equal(service[key], undefined, key);
      const volumes = (service.volumes ?? []) as string[];
      for (const volume of volumes) assert.match(volume, /^\.\/[^:]+:[^:]+:ro$|^[a-z]+:\/[a-z]+$/);
      assert.match(String(service.image), /^meridian:local$|^[a-z/]+:v?\d+\.\d+/);
    });
  }

  it("have redis as its own user, for that is who its image would become", () => {
    assert.equal(services.redis?.user, "redis");
  });

  it("have no tokens in their commands, where the list of processes shows them", () => {
    assert.doesNotMatch(
      JSON.stringify(Object.values(services).map(({ command }) => command ?? "")),
      /token|secret/i,
    );
  });
});
