import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { posix } from "node:path";
import { describe, it } from "node:test";

/** What each room may import besides itself and the {@link FREE} files. Rooms left out may import any. */
const ROOMS: Record<string, readonly string[]> = {
  routing: [],
  config: ["routing"],
  regions: ["routing", "config"],
  consistency: ["routing", "config"],
  fleet: ["routing", "config"],
  observe: ["routing"],
  proxy: ["routing", "config", "regions", "consistency", "fleet"],
  admin: ["routing", "config", "regions", "consistency", "fleet"],
  cli: ["routing", "config", "admin"],
  /** What runs in browsers knows the shapes of the answers, and nothing of the server; see {@link allowed}. */
  console: [],
};

/** Free for every room but routing. */
const FREE = ["bag.ts", "clock.ts", "errors.ts", "events.ts", "redis.ts", "trace.ts"];

/** Where a library may be imported; types too. A replacement is then a change in one place. */
const LIBRARIES: Record<string, RegExp> = {
  "http-proxy": /^proxy\/tunnel\.ts$/,
  undici: /^(proxy\/forward[\w-]*\.ts|regions\/|cli\/|demo\/|fleet\/hook\.ts$)/,
  ioredis: /^redis(-sentinel)?\.ts$/,
  fastify: /^admin\//,
  jose: /^consistency\/jwt\.ts$/,
  zod: /^(config\/|admin\/|regions\/answer\.ts$)/,
  yaml: /^config\//,
  "@bomb.sh/tab/commander": /^cli\/completion\.ts$/,
  commander: /^(main\.ts|cli\/)/,
  "node-cron": /^(fleet\/calendar[\w-]*|config\/cron)\.ts$/,
  "prom-client": /^observe\//,
  "@opentelemetry/api": /^observe\/spans\.ts$/,
  "@opentelemetry/sdk-trace": /^observe\/(spans|tracing)\.ts$/,
  "@opentelemetry/exporter-trace-otlp-http": /^observe\/tracing\.ts$/,
  "@opentelemetry/resources": /^observe\/tracing\.ts$/,
  pino: /^observe\//,
  preact: /^console\//,
  "preact/hooks": /^console\//,
  "@preact/signals": /^console\//,
};

const IMPURE = /\bDate\.now|\bnew Date\b|\bMath\.random|\bperformance\b|\basync\b|\bawait\b|\bsetTimeout\b/;
const SPECIFIER = /(\bimport type\b[^"]*?)?(?:\bfrom|\bimport|\bimport\()\s*"([^"]+)"/g;
const SOURCES = new URL("../src/", import.meta.url);

interface Import {
  readonly file: string;
  /** `import type`: nothing of it is left at run time. */
  readonly typeOnly: boolean;
  /** `room/file.ts` for our own, the bare name for a library or `node:` module. */
  readonly target: string;
  readonly own: boolean;
}

const code = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
const roomOf = (path: string) => (path.includes("/") ? (path.split("/")[0] ?? "") : path);

async function sources(): Promise<ReadonlyMap<string, string>> {
  const files = await Array.fromAsync(glob("**/*.{ts,tsx}", { cwd: SOURCES }));
  const read = async (file: string) => [file, code(await readFile(new URL(file, SOURCES), "utf8"))] as const;
  return new Map(await Promise.all(files.map(read)));
}

function importsOf(file: string, text: string): readonly Import[] {
  return [...text.matchAll(SPECIFIER)].map(([, typeOnly, specifier = ""]) => {
    const own = specifier.startsWith(".");
    return {
      file,
      own,
      typeOnly: typeOnly !== undefined,
      target: own ? posix.join(posix.dirname(file), specifier) : specifier,
    };
  });
}

function allowed({ file, target, own, typeOnly }: Import): boolean {
  const from = roomOf(file);
  const to = roomOf(target);
  if (!own && from === "console") return LIBRARIES[target]?.test(file) ?? false;
  if (!own) return from === "routing" ? false : (LIBRARIES[target]?.test(file) ?? target.startsWith("node:"));
  if (target === "edge.ts") return file === "main.ts" || file === "serve.ts" || from === "demo";
  if (from === "console" && to === "admin") return typeOnly && /-?messages\.ts$/.test(target);
  if (from === "console" || to === "console") return from === to;
  if (from === to || FREE.includes(target)) return from !== "routing" || to === "routing";
  return ROOMS[from]?.includes(to) ?? true;
}

describe("the layer rule", async () => {
  const files = await sources();
  const imports = [...files].flatMap(([file, text]) => importsOf(file, text));

  it("sees the sources and their imports", () => {
    assert.ok(files.has("routing/decide.ts") && files.has("observe/metrics.ts"));
    assert.ok(imports.some(({ target }) => target === "routing/region.ts"));
    assert.ok(imports.some(({ target }) => target === "prom-client"));
  });

  it("lets every room import only the rooms and libraries below it", () => {
    const broken = imports.filter((each) => !allowed(each));
    assert.deepEqual(
      broken.map(({ file, target }) => `${file} must not import ${target}`),
      [],
    );
  });

  it("keeps routing pure: no clock, no chance, nothing asynchronous", () => {
    const impure = [...files].filter(([file, text]) => roomOf(file) === "routing" && IMPURE.test(text));
    assert.deepEqual(
      impure.map(([file, text]) => `${file}: ${IMPURE.exec(text)?.[0]}`),
      [],
    );
  });

  for (const [file, target, verdict] of [
    ["routing/decide.ts", "clock.ts", false],
    ["routing/decide.ts", "routing/region.ts", true],
    ["admin/routes.ts", "proxy/handle.ts", false],
    ["observe/log.ts", "config/schema.ts", false],
    ["observe/log.ts", "events.ts", true],
    ["proxy/handle.ts", "edge.ts", false],
    ["main.ts", "edge.ts", true],
    ["console/live.ts", "admin/messages.ts", false],
    ["console/live.ts", "events.ts", false],
    ["admin/server.ts", "console/words.ts", false],
  ] as const) {
    it(`${verdict ? "allows" : "forbids"} ${target} in ${file}`, () => {
      assert.equal(allowed({ file, target, own: true, typeOnly: false }), verdict);
    });
  }

  for (const [file, target, verdict] of [
    ["proxy/handle.ts", "http-proxy", false],
    ["routing/decide.ts", "node:crypto", false],
    ["proxy/handle.ts", "node:http", true],
    ["config/load.ts", "left-pad", false],
    ["console/app.tsx", "preact", true],
    ["admin/server.ts", "preact", false],
    ["console/app.tsx", "node:fs", false],
  ] as const) {
    it(`${verdict ? "allows" : "forbids"} the library ${target} in ${file}`, () => {
      assert.equal(allowed({ file, target, own: false, typeOnly: false }), verdict);
    });
  }
});
