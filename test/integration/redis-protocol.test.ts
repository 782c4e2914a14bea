import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { luaFiles } from "../../scripts/generate-redis-protocol.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const PROJECT = join(import.meta.dirname, "../..");
const DOCUMENT = join(PROJECT, "docs/redis-protocol.md");
/** The test edges'. */
const SECRET = "a-secret-that-only-tests-use";

/** What the document's example exports. */
interface Example {
  readonly MeridianPins: new (options: {
    url: string;
    secret: string;
    bounded?: boolean;
    scripts: string;
  }) => {
    readonly redis: { once(event: "ready", listener: () => void): void; disconnect(): void };
    begin(names: readonly string[], forMs: number): Promise<{ readonly id: string }>;
    end(
      write: { readonly id: string },
      forMs: number,
      position?: { readonly epoch: number; readonly at: string },
    ): Promise<unknown>;
  };
}

async function stage(t: TestContext, mode: "strict" | "bounded" = "strict") {
  const world = await startWorld();
  t.after(() => world.stop());
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  const consistency = { mode, staleness: "500ms", graceWindow: "30s" };
  const edge = await startTestEdge(world, stringify({ redis: { url: redis.url }, consistency }));
  t.after(() => edge.stop(0));
  /** Region and reason of this user's read. */
  const read = async (user = "alice") => {
    const answer = await fetch(`${edge.httpUrl}/items/a`, { headers: { authorization: `Bearer ${user}` } });
    await answer.body?.cancel();
    return `${answer.headers.get("x-meridian-region")} ${answer.headers.get("x-meridian-reason")}`;
  };
  /** A write past the edge, and where it stands. */
  const write = async () => {
    const answer = await fetch(`${world.region("us-east").url}/items/a`, { method: "PUT" });
    await answer.body?.cancel();
    const [epoch, at = ""] = (answer.headers.get("x-meridian-position") ?? "").split(":");
    return { epoch: Number(epoch), at };
  };
  return { world, redis, read, write };
}

/** The code of the document's example in this language. */
async function example(language: "sh" | "js"): Promise<string> {
  const text = await readFile(DOCUMENT, "utf8");
  const [, code] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "m").exec(text) ?? [];
  assert.ok(code, `no example in ${language}`);
  return code;
}

/** The document's class, connected. */
async function pinsOf(t: TestContext, url: string, bounded = false) {
  const directory = await mkdtemp(join(tmpdir(), "meridian-protocol-"));
  t.after(() => rm(directory, { recursive: true }));
  await symlink(join(PROJECT, "node_modules"), join(directory, "node_modules"));
  const file = join(directory, "meridian-pins.mjs");
  await writeFile(file, await example("js"));
  const { MeridianPins } = (await import(pathToFileURL(file).href)) as Example;
  const pins = new MeridianPins({ url, secret: SECRET, bounded, scripts: join(PROJECT, "docs/redis") });
  t.after(() => pins.redis.disconnect());
  await new Promise<void>((resolve) => pins.redis.once("ready", resolve));
  return pins;
}

test("the scripts of the document are those an edge runs (npm run docs:redis)", async () => {
  for (const [file, text] of luaFiles())
    assert.equal(await readFile(join(PROJECT, file), "utf8"), text, file);
  const there = await readdir(join(PROJECT, "docs/redis"));
  assert.deepEqual(there.map((file) => `docs/redis/${file}`).sort(), [...luaFiles().keys()].sort());
});

test("the shell example pins a user at every edge, and lets him go with a position", async (t) => {
  const { redis, read, write } = await stage(t);
  const { at } = await write();
  const [before = "", after = ""] = (await example("sh")).split(/^(?=pin place)/m);
  const shell = spawn("sh", ["-e"], {
    cwd: PROJECT,
    env: { ...process.env, MERIDIAN_SECRET: SECRET, REDIS_URL: redis.url },
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => shell.kill());
  let answers = "";
  shell.stdout.setEncoding("utf8").on("data", (text: string) => {
    answers += text;
  });
  assert.equal(await read(), "eu-west latency");
  shell.stdin.write(before);
  await eventually(() => answers === "1\n");
  assert.equal(await read(), "us-east pin");
  assert.equal(await read("bob"), "eu-west latency");
  shell.stdin.end(after.replace("00000000000004d2", at));
  assert.deepEqual(await once(shell, "exit"), [0, null]);
  assert.equal(answers, "1\n1\n");
  await eventually(async () => (await read()) === "eu-west latency");
});

test("the Node example pins users in every shard, and lets go whom nothing was written for", async (t) => {
  const { redis, read } = await stage(t);
  const pins = await pinsOf(t, redis.url);
  const users = Array.from({ length: 24 }, (_, index) => `user-${index}`);
  const write = await pins.begin(
    users.map((user) => `header:authorization|Bearer ${user}`),
    35_000,
  );
  for (const user of users) assert.equal(await read(user), "us-east pin", user);
  await pins.end(write, 0);
  for (const user of users) assert.equal(await read(user), "eu-west latency", user);
});

test("the Node example's END keeps a user for the window, or until home has his position", async (t) => {
  const { world, redis, read, write } = await stage(t);
  const pins = await pinsOf(t, redis.url);
  const names = ["header:authorization|Bearer alice"];
  await pins.end(await pins.begin(names, 35_000), 3_000);
  assert.equal(await read(), "us-east pin");
  await eventually(async () => (await read()) === "eu-west latency", { withinMs: 10_000 });

  const opened = await pins.begin(names, 35_000);
  world.region("eu-west").freezeReplication();
  await pins.end(opened, 30_000, await write());
  assert.equal(await read(), "us-east pin");
  world.region("eu-west").thawReplication();
  await eventually(async () => (await read()) === "eu-west latency");
  assert.equal(world.region("eu-west").version("a"), 1);
});

test("in mode bounded the edges hear of it from the feed", async (t) => {
  const { redis, read, write } = await stage(t, "bounded");
  assert.equal(await read(), "eu-west latency");
  const pins = await pinsOf(t, redis.url, true);
  const opened = await pins.begin(["header:authorization|Bearer alice"], 35_000);
  await eventually(async () => (await read()) === "us-east pin", { withinMs: 3_000 });
  await pins.end(opened, 30_000, await write());
  await eventually(async () => (await read()) === "eu-west latency", { withinMs: 10_000 });
});
