import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, stringify } from "yaml";
import { parseConfig } from "../../src/config/load.ts";
import type { Edge } from "../../src/edge.ts";
import { Authority } from "../support/certificates.ts";
import { DatabaseRegion, PromotionHook } from "../support/database.ts";
import {
  commandsOf,
  type Fenced,
  fencedBlocks,
  runbookBlocks,
  shellComplaint,
} from "../support/documents.ts";
import { startTestEdge } from "../support/edge.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const ROOT = path.join(import.meta.dirname, "../..");
/** The decision that docs/admin-api.md asks for is made before. */
const DOCUMENTED_REQUEST = "6f1c1c1e-5d0b-4c7e-9d0e-2f8f3b0a7c11";
const SECRET = "a-secret-that-only-tests-use-0123456789";

/** What is not run, by what it begins with, and why. It has to be a shell's language all the same. */
const NOT_RUN: readonly (readonly [RegExp, string])[] = [
  [/^npm (ci|test|start)\b/, "installs, or is what runs this test"],
  [/^npm (install|pack)\b/, "test/integration/package.test.ts does it"],
  [/^meridian top\b/, "draws on a terminal; test/integration/cli-live.test.ts gives it one"],
  [/^docker\b/, "needs a container engine; test/integration/image.test.ts walks the Dockerfile without one"],
  [/^(kubectl|helm)\b/, "needs a cluster; test/unit/deploy-helm.test.ts checks what it would be sent"],
  [
    /^(systemctl|install)\b/,
    "changes the machine; test/integration/package-service.test.ts runs the unit's commands",
  ],
  [
    /^npm run (chaos|failover|siege|soak|faults|raw|fuzz|bench)\b/,
    "takes minutes; test/chaos and its like run a part of it",
  ],
];

/** What never ends by itself: it gets TERM, and has to end well then. */
const ENDLESS = /^(npx )?meridian (serve|demo)\b|--watch|\/v1\/events|world-main\.ts/;
const ENDLESS_SECONDS = 3;

/** What stands for something of the reader's own, and what it is here. */
const PLACEHOLDERS: readonly (readonly [RegExp, string])[] = [
  [/\bREGION\b/g, "eu-west"],
  [/\bEDGE:/g, "localhost:"],
  [/\bFILE\b/g, "meridian.yaml"],
  [/\bCERTFILE\b/g, "certificate.pem"],
  [/\bURL\b/g, '"$REDIS_URL"'],
];

/** What is done first, where a document tells of something that is under way. */
const BEFORE: readonly (readonly [RegExp, string])[] = [
  [/^meridian drill --stop/, 'meridian drill eu-west --lasts 1m --reason "to be stopped"'],
];

/** What a document's commands are run against: regions with a database each, and an edge. */
interface Place {
  readonly folder: string;
  readonly regions: readonly DatabaseRegion[];
  readonly hook: PromotionHook;
  readonly edge: Edge;
}

const blocks = fencedBlocks();
const documented = [...blocks.filter(({ language }) => /^(sh|console)$/.test(language)), ...runbookBlocks()];
const reasonAgainst = (command: string) => NOT_RUN.find(([pattern]) => pattern.test(command))?.[1];

describe("the commands of the documents", { concurrency: 4 }, () => {
  let redis: RedisServer;
  let authority: Authority;
  const ran: string[] = [];
  const notRun: string[] = [];
  before(async () => {
    redis = await startRedis();
    authority = await Authority.create();
  });
  after(async () => {
    await redis?.stop();
    await authority?.remove();
    process.stdout.write(`\nran ${ran.length} commands:\n${ran.join("\n")}\n`);
    process.stdout.write(`\nparsed ${notRun.length} commands:\n${notRun.join("\n")}\n`);
  });

  const byDocument = Map.groupBy(documented, ({ document }) => document);
  for (const [document, itsBlocks] of byDocument)
    it(`of ${document} do what they are there for`, async (t) => {
      const place = await placeFor(document);
      t.after(() => leave(place));
      for (const block of itsBlocks) await runBlock(block, place);
    });

  it("are either run, or not run for a reason that is still one", () => {
    const commands = documented.flatMap(commandsOf);
    const idle = NOT_RUN.filter(([pattern]) => !commands.some((command) => pattern.test(command)));
    assert.deepEqual(idle.map(String), []);
  });

  async function runBlock(block: Fenced, place: Place): Promise<void> {
    const where = `${block.document}:${block.line}`;
    assert.equal(shellComplaint(commandsOf(block).join("\n")), "", where);
    const steps: string[] = [];
    for (const command of commandsOf(block)) {
      const reason = reasonAgainst(command);
      const line = `  ${where.padEnd(28)} ${command.replaceAll("\n", "\n    ")}`;
      if (reason !== undefined) notRun.push(`${line}   # ${reason}`);
      else {
        ran.push(line);
        steps.push(`step=${steps.length + 1}\n${asRunHere(command, place)}`);
      }
    }
    if (steps.length === 0) return;
    const script = `set -eo pipefail\ntrap 'echo "step $step failed" >&2' ERR\n${steps.join("\n")}\n`;
    const { status, output } = await inShell(script, place);
    assert.equal(status, 0, `${where} ended with ${status}\n${script}\n${output}`);
  }

  function asRunHere(command: string, { edge }: Place): string {
    const port = (url: string) => new URL(url).port;
    const here = PLACEHOLDERS.reduce((text, [pattern, own]) => text.replaceAll(pattern, own), command)
      .replaceAll(/(localhost|127\.0\.0\.1):9090/g, `127.0.0.1:${port(edge.adminUrl)}`)
      .replaceAll(
        /(localhost|127\.0\.0\.1|\/\/edge):8080/g,
        (_, host) => `${host.startsWith("//") ? "//" : ""}127.0.0.1:${port(edge.httpUrl)}`,
      )
      .replaceAll(/\bport=\d+/g, "port=0")
      .replaceAll(/--control \d+/g, "--control 0")
      // A drill of minutes is one of seconds here.
      .replaceAll("--lasts 2m", "--lasts 2s")
      .replaceAll('"lasts":"2m"', '"lasts":"2s"');
    const before = BEFORE.find(([pattern]) => pattern.test(command))?.[1];
    if (before !== undefined) return `${before}\n${here}`;
    if (!ENDLESS.test(command)) return here;
    return `{ timeout --preserve-status -s TERM ${ENDLESS_SECONDS} ${here}\n} || [ $? = 143 ]`;
  }

  function inShell(
    script: string,
    { folder, edge }: Place,
  ): Promise<{ status: number | null; output: string }> {
    const child = spawn("bash", ["-c", script], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        PATH: `${path.join(folder, "bin-here")}:${path.join(ROOT, "node_modules/.bin")}:${process.env.PATH}`,
        MERIDIAN_ADMIN: edge.adminUrl,
        MERIDIAN_SECRET: SECRET,
        MERIDIAN_PIN_KEY: SECRET,
        MERIDIAN_TOKEN: "no-token-is-needed-here",
        REDIS_URL: redis.url,
        REDIS_PASSWORD: SECRET,
        CURL_HOME: folder,
        npm_config_cache: path.join(folder, "npm"),
        npm_config_offline: "true",
      },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    return new Promise((resolve) => child.once("close", (status) => resolve({ status, output })));
  }

  /** A folder like a checkout's, an edge of the document's own, and a configuration for another one. */
  async function placeFor(document: string): Promise<Place> {
    const folder = await mkdtemp(path.join(tmpdir(), "meridian-documents-"));
    for (const name of [
      "src",
      "docs",
      "config",
      "deploy",
      "scripts",
      "test",
      "bin",
      "package.json",
      "node_modules",
    ])
      await symlink(path.join(ROOT, name), path.join(folder, name));
    await symlink(authority.certFile, path.join(folder, "certificate.pem"));
    await mkdir(path.join(folder, "bin-here"));
    await symlink(path.join(ROOT, "bin/meridian.js"), path.join(folder, "bin-here/meridian"));
    // An answer of 400 or more is a failure.
    await writeFile(path.join(folder, ".curlrc"), "fail-with-body\n");
    const regions = ["us-east", "eu-west", "ap-south"].map((id) => new DatabaseRegion(id, id === "us-east"));
    const hook = new PromotionHook(regions);
    const hookUrl = await hook.start();
    const namespace = `document-${[...byDocument.keys()].indexOf(document)}`;
    const common = {
      regions: Object.fromEntries(await Promise.all(regions.map(entryOf))),
      redis: { url: redis.url, namespace },
      failover: { hook: { url: hookUrl } },
      consistency: { pinKeys: [SECRET], identity: [{ header: "authorization" }, { cookie: "session" }] },
    };
    const nowhere = await startWorld({ regions: [] });
    const trusting = { listen: { trustedProxies: ["127.0.0.1/32"] } };
    const settings = stringify({ ...common, ...trusting });
    const configFile = path.join(folder, "edge.yaml");
    await writeFile(configFile, edgeYaml(nowhere, settings));
    const edge = await startTestEdge(nowhere, settings, { configFile });
    const own = {
      ...common,
      redis: { url: redis.url, namespace: `${namespace}-own` },
      listen: { http: { port: await freePort() } },
      admin: { port: await freePort() },
      shutdown: { grace: "1s" },
    };
    await writeFile(path.join(folder, "meridian.yaml"), edgeYaml(nowhere, stringify(own)));
    await eventually(async () => (await fetch(`${edge.adminUrl}/readyz`)).ok);
    await fetch(`${edge.httpUrl}/items/a`, { headers: { "x-request-id": DOCUMENTED_REQUEST } });
    return { folder, regions, hook, edge };
  }

  async function entryOf({ id, writer, scripted }: DatabaseRegion) {
    return [id, { role: writer ? "writer" : "replica", endpoints: [(await scripted.start()).url] }] as const;
  }

  async function leave({ folder, regions, hook, edge }: Place): Promise<void> {
    await edge.stop(100);
    await hook.stop();
    await Promise.all(regions.map(({ scripted }) => scripted.stop()));
    await rm(folder, { recursive: true, force: true });
  }
});

describe("the configurations of the documents", () => {
  /** Whatever a file asks of the environment, in the form that its name says. */
  function environmentOf(text: string): Record<string, string> {
    const names = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = ""]) => name);
    return Object.fromEntries(names.map((name) => [name, sampleOf(name)]));
  }
  function sampleOf(name: string): string {
    if (name.endsWith("SHA256")) return "0".repeat(64);
    return name.endsWith("REDIS_URL") ? "redis://127.0.0.1:6379" : SECRET;
  }
  const whole = blocks
    .filter(({ language, text }) => language === "yaml" && /^regions:/m.test(text))
    .filter(({ text }) => parse(text)?.regions !== undefined);

  for (const { document, line, text } of whole)
    it(`start an edge: ${document}:${line}`, () => {
      const loaded = parseConfig(text, environmentOf(text));
      assert.deepEqual(loaded.ok ? [] : loaded.problems, []);
    });

  it("are some", () => assert.ok(whole.length > 0));
});
