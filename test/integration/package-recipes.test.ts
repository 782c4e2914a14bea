import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { stringify } from "yaml";
import type { Edge } from "../../src/edge.ts";
import { type Fenced, fencedBlocks } from "../support/documents.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const run = promisify(execFile);
const blocks = fencedBlocks();
const inLanguage = (language: string) => blocks.filter((block) => block.language === language);

/** How a snippet of a language is checked without running it; null: it is well. */
interface Check {
  readonly tool: string;
  readonly file: string;
  whole(text: string): string;
  args(file: string): readonly string[];
  /** Whether what the tool has said is about the snippet itself, and not about a library that is not here. */
  counts(output: string): boolean;
}
const any = () => true;
const CHECKS: Readonly<Record<string, Check>> = {
  nginx: {
    tool: "nginx",
    file: "nginx.conf",
    whole: (text) => `pid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${text}\n}\n`,
    args: (file) => ["-t", "-p", path.dirname(file), "-c", file],
    counts: any,
  },
  haproxy: {
    tool: "haproxy",
    file: "haproxy.cfg",
    whole: String,
    args: (file) => ["-c", "-f", file],
    counts: any,
  },
  python: {
    tool: "python3",
    file: "meridian.py",
    whole: String,
    args: (file) => ["-m", "py_compile", file],
    counts: any,
  },
  ruby: { tool: "ruby", file: "meridian.rb", whole: String, args: (file) => ["-c", file], counts: any },
  php: { tool: "php", file: "Meridian.php", whole: String, args: (file) => ["-l", file], counts: any },
  java: {
    tool: "javac",
    file: "MeridianFilter.java",
    whole: String,
    args: (file) => ["-d", path.dirname(file), file],
    // javac looks for what is imported only when it could read all of the file.
    counts: (output) =>
      output
        .split("\n")
        .some(
          (line) =>
            / error: /.test(line) && !/does not exist|cannot find symbol|does not override/.test(line),
        ),
  },
};

function isHere(tool: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("the snippets of the documents", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "meridian-snippets-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function complaint(block: Fenced, check: Check): Promise<string | null> {
    const file = path.join(folder, check.file);
    await writeFile(file, `${check.whole(block.text)}\n`);
    try {
      await run(check.tool, check.args(file));
      return null;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      return check.counts(stdout + stderr) ? stdout + stderr : null;
    }
  }

  for (const [language, check] of Object.entries(CHECKS))
    for (const block of inLanguage(language))
      it(`are in ${language}: ${block.document}:${block.line}`, {
        skip: !isHere(check.tool) && `no ${check.tool}`,
      }, async () => {
        assert.equal(await complaint(block, check), null);
        const broken = { ...block, text: `${block.text}\n)} else {` };
        assert.notEqual(await complaint(broken, check), null, "a broken one would be found");
      });
});

describe("the handlers of docs/recipes/nextjs.md, in two regions behind an edge", () => {
  /** What the region's database would say. */
  interface State {
    writer: boolean;
    epoch: number;
    applied: string;
    lagMs: number;
  }
  type Handler = (request: Request) => Promise<Response>;
  interface Recipe {
    probe(query: () => Promise<State>): Handler;
    write(query: () => Promise<State>, handler: Handler): Handler;
    look(handler: Handler): Handler;
  }
  const states: Record<string, State> = {
    "us-east": { writer: true, epoch: 1, applied: "00000000000000aa", lagMs: 0 },
    "eu-west": { writer: false, epoch: 1, applied: "0000000000000001", lagMs: 40 },
  };
  const servers: Server[] = [];
  let edge: Edge;
  /** Who executed a write. */
  const executed: string[] = [];

  before(async () => {
    const [block] = inLanguage("js").filter(({ document }) => document.endsWith("nextjs.md"));
    const recipe: Recipe = await import(`data:text/javascript,${encodeURIComponent(block?.text ?? "")}`);
    const regions: Record<string, object> = {};
    // The first that may serve is home: which of two on one machine is nearer, nobody knows.
    for (const id of ["eu-west", "us-east"]) {
      const url = await serveRegion(id, recipe);
      regions[id] = { role: id === "us-east" ? "writer" : "replica", endpoints: [url] };
    }
    edge = await startTestEdge(
      await startWorld({ regions: [] }),
      stringify({ regions, routing: { policy: "priority" } }),
    );
    await eventually(async () => (await fetch(`${edge.adminUrl}/readyz`)).ok);
  });
  after(async () => {
    await edge?.stop(100);
    for (const server of servers) server.close().closeAllConnections();
  });

  async function serveRegion(id: string, recipe: Recipe): Promise<string> {
    const query = async () => ({ ...(states[id] as State) });
    const routes: Record<string, Handler> = {
      "GET /healthz": recipe.probe(query),
      "POST /orders": recipe.write(query, async () => {
        executed.push(id);
        return Response.json({ made: true });
      }),
      "POST /search": recipe.look(async () => Response.json({ found: 0 })),
      "GET /orders": async () => Response.json([]),
    };
    const server = createServer(async (req, res) => {
      const body = req.method === "GET" ? {} : { body: new Uint8Array(await buffer(req)) };
      const headers = Object.entries(req.headers).map(
        ([name, value]) => [name, String(value)] as [string, string],
      );
      const request = new Request(`http://${id}${req.url}`, {
        method: req.method ?? "GET",
        headers,
        ...body,
      });
      const response = await routes[`${req.method} ${req.url}`]?.(request);
      res.writeHead(response?.status ?? 404, Object.fromEntries(response?.headers ?? []));
      res.end(Buffer.from((await response?.arrayBuffer()) ?? new ArrayBuffer(0)));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const ask = (method: string, route: string, user: string) =>
    fetch(`${edge.httpUrl}${route}`, {
      method,
      headers: { authorization: user },
      ...(method === "POST" ? { body: "{}" } : {}),
    });
  const region = (answer: Response) => answer.headers.get("x-meridian-region");

  it("tell an edge who writes, of which epoch, and how far each is", async () => {
    const answer = await fetch(`${edge.adminUrl}/v1/edges`);
    // biome-ignore lint/suspicious/noExplicitAny: looked into right away
    const { regions } = ((await answer.json()) as any).edges[0];
    assert.equal(regions["us-east"].writer, true);
    assert.equal(regions["eu-west"].applied, "0000000000000001");
    assert.equal(regions["eu-west"].lagMs, 40);
  });

  it("keep a writer's reads where the write is until home has it", async () => {
    assert.equal(region(await ask("POST", "/orders", "alice")), "us-east");
    assert.equal(region(await ask("GET", "/orders", "alice")), "us-east");
    const home = states["eu-west"] as State;
    home.applied = "00000000000000aa";
    await eventually(async () => assert.equal(region(await ask("GET", "/orders", "alice")), "eu-west"));
  });

  it("pin nobody who has only looked", async () => {
    assert.equal(region(await ask("POST", "/search", "bob")), "us-east");
    const read = await ask("GET", "/orders", "bob");
    assert.notEqual(read.headers.get("x-meridian-reason"), "pin");
  });

  it("execute nothing for an edge that is behind the times", async () => {
    const before = executed.length;
    const writer = states["us-east"] as State;
    writer.epoch = 2;
    const answer = await ask("POST", "/orders", "carol");
    writer.epoch = 1;
    assert.ok(answer.status === 421 || answer.status === 503, String(answer.status));
    assert.equal(executed.length, before);
  });
});

describe("the Redis user of docs/recipes/redis.md", () => {
  it("may do what an edge does", async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const block = blocks.find(
      ({ document, text }) => document.endsWith("redis.md") && text.includes("acl setuser"),
    );
    const password = createHash("sha256").update("any").digest("hex");
    const environment = { ...process.env, REDIS_URL: redis.url, REDIS_PASSWORD: password };
    await run("bash", ["-ec", block?.text ?? "exit 1"], { env: environment });
    const world = await startWorld();
    t.after(() => world.stop());
    const url = redis.url.replace("redis://", `redis://meridian:${password}@`);
    const edge = await startTestEdge(world, stringify({ redis: { url } }));
    t.after(() => edge.stop(100));
    const status = async () =>
      (await (await fetch(`${edge.adminUrl}/v1/status`)).json()) as { redis: string };
    await eventually(async () => assert.equal((await status()).redis, "up"), { withinMs: 20_000 });
    const wrote = await fetch(`${edge.httpUrl}/items/a`, {
      method: "PUT",
      headers: { authorization: "alice" },
    });
    assert.equal(wrote.headers.get("x-meridian-consistency"), null);
    const drain = {
      method: "POST",
      body: '{"reason":"a test"}',
      headers: { "content-type": "application/json" },
    };
    assert.equal((await fetch(`${edge.adminUrl}/v1/regions/eu-west/drain`, drain)).status, 200);
  });
});
