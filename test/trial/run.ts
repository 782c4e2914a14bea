// Puts edges in front of Express, Koa and nginx, drives them with curl, ws and two clients of one user, and
// says what it saw: `node test/trial/run.ts`. Ends with status 1 if anything was not as it should be.
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { WebSocket } from "ws";
import { freePorts, Stage, stop, until } from "./stage.ts";

const UPLOAD_BYTES = 64 * 1024 * 1024;
const WINDOW_MS = 5_000;
const run = promisify(execFile);
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

let wrong = 0;
function see(what: string, good: boolean, detail: string): void {
  if (!good) wrong += 1;
  process.stdout.write(`${good ? "ok    " : "WRONG "} ${what}: ${detail}\n`);
}

interface Seen {
  readonly status: number;
  readonly region: string;
  readonly reason: string;
  readonly body: string;
}

async function curl(...args: string[]): Promise<Seen> {
  const last = "\n%{http_code} %header{x-meridian-region} %header{x-meridian-reason}";
  const { stdout } = await run("curl", ["-sS", "--max-time", "60", "-w", last, ...args]);
  const end = stdout.lastIndexOf("\n");
  const [status = "0", region = "", reason = ""] = stdout.slice(end + 1).split(" ");
  return { status: Number(status), region, reason, body: stdout.slice(0, end) };
}

async function methods(edge: string): Promise<void> {
  for (const method of ["GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]) {
    const body = method.startsWith("P") ? ["--json", '{"text":"by curl"}'] : [];
    const path = method === "POST" || method === "GET" || method === "OPTIONS" ? "" : "/0";
    const bearer = `authorization: Bearer method-${method}`;
    const seen = await curl("-X", method, "-H", bearer, ...body, `${edge}/api/notes${path}`);
    const expected = method === "GET" || method === "OPTIONS" ? "eu-west latency" : "us-east write";
    see(method, `${seen.region} ${seen.reason}` === expected, `${seen.status} ${seen.region} ${seen.reason}`);
  }
}

async function upload(edge: string): Promise<void> {
  const data = randomBytes(UPLOAD_BYTES);
  const sha256 = createHash("sha256").update(data).digest("hex");
  for (const [name, header] of [
    ["upload", "expect: 100-continue"],
    ["chunked upload", "transfer-encoding: chunked"],
  ] as const) {
    const sent = run("curl", ["-sS", "-T", "-", "-H", header, `${edge}/upload`]);
    sent.child.stdin?.end(data);
    const answer = JSON.parse((await sent).stdout) as { bytes: number; sha256: string };
    see(
      name,
      answer.sha256 === sha256,
      `${answer.bytes} bytes, the same checksum: ${answer.sha256 === sha256}`,
    );
  }
}

async function streams(edge: string): Promise<void> {
  const events = await run("curl", ["-sN", "--max-time", "2", `${edge}/events`]).catch(
    (error: { stdout: string }) => error,
  );
  const ticks = events.stdout.split("data: tick").length - 1;
  see("server-sent events", ticks >= 5, `${ticks} in 2 s`);

  const old = await curl("--http1.0", "-i", `${edge}/me`);
  see("HTTP/1.0", !/transfer-encoding/i.test(old.body), `${old.status}, not chunked`);

  const heard: string[] = [];
  const socket = new WebSocket(`${edge.replace("http", "ws")}/ws`);
  socket.on("message", (data) => heard.push(data.toString()));
  await new Promise((done, failed) => socket.once("open", done).once("error", failed));
  socket.send("hello");
  await until("the echo", async () => heard.includes("hello"));
  socket.close();
  see("WebSocket", true, heard.join(" "));
}

/** One client writes through one edge; another of the same user, without cookies, reads through another. */
async function twoClients(writes: string, reads: string): Promise<void> {
  const users = Array.from({ length: 10 }, (_, i) => `authorization: Bearer user-${i}-${process.pid}`);
  let stale = 0;
  let count = 0;
  const home: number[] = [];
  await Promise.all(
    users.map(async (user) => {
      const post = await curl("-H", user, "--json", '{"text":"mine"}', `${writes}/api/notes`);
      const { id } = JSON.parse(post.body) as { id: string };
      const since = performance.now();
      for (;;) {
        const at = performance.now() - since;
        const seen = await curl("-H", user, `${reads}/api/notes`);
        count += 1;
        if (!seen.body.includes(id)) stale += 1;
        if (seen.region !== "us-east") return home.push(Math.round(at));
        if (at > 4 * WINDOW_MS) return home.push(Number.POSITIVE_INFINITY);
        await pause(50);
      }
    }),
  );
  see("two clients of one user", stale === 0, `${count} reads through the other edge, ${stale} stale`);
  const [first, last] = [Math.min(...home), Math.max(...home)];
  see(
    "home again",
    first >= WINDOW_MS - 100 && last < WINDOW_MS + 1_000,
    `${first} to ${last} ms after the write`,
  );
}

async function jar(edge: string, cookies: string): Promise<void> {
  const keep = ["-c", cookies, "-b", cookies];
  const login = await curl(...keep, "-d", "user=ada", `${edge}/login`);
  const me = await curl(...keep, `${edge}/me`);
  see(
    "login, then /me",
    me.status === 200 && me.reason === "pin",
    `${login.status}, ${me.status} ${me.region} ${me.reason}`,
  );
  await pause(WINDOW_MS + 500);
  const later = await curl(...keep, `${edge}/me`);
  see(
    "/me after the window",
    later.region === "eu-west" && later.status === 200,
    `${later.region} ${later.reason}`,
  );
}

async function losing(edge: string, kill: () => Promise<void>): Promise<void> {
  const tally = new Map<string, number>();
  const add = (word: string): void => void tally.set(word, (tally.get(word) ?? 0) + 1);
  const asked: Promise<void>[] = [];
  for (let i = 0; i < 300; i += 1) {
    if (i === 100) void kill();
    asked.push(
      fetch(`${edge}/me`, { headers: { authorization: `Bearer reader-${i}` } })
        .then(async (seen) => {
          await seen.arrayBuffer();
          add(`${seen.status} from ${seen.headers.get("x-meridian-region")}`);
        })
        .catch((error: Error) => add(error.message)),
    );
    await pause(10);
  }
  await Promise.all(asked);
  const bad = [...tally.keys()].filter((word) => !word.startsWith("200"));
  see("a killed replica", bad.length === 0, [...tally].map(([word, n]) => `${n} × ${word}`).join(", "));
}

async function main(stage: Stage): Promise<void> {
  const [us = 0, eu = 0, assets = 0, redis = 0, ...edges] = await freePorts(10);
  const common = {
    MERIDIAN_SECRET: randomBytes(32).toString("hex"),
    REDIS_URL: `redis://127.0.0.1:${redis}`,
    US_EAST_PORT: String(us),
    EU_WEST_PORT: String(eu),
    ASSETS_PORT: String(assets),
  };
  stage.redis(redis);
  stage.app("us-east.mjs", us);
  const replica = stage.app("eu-west.mjs", eu, `http://127.0.0.1:${us}`);
  await stage.nginx(assets, eu);
  for (const port of [us, eu, assets]) {
    await until(`port ${port}`, async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok);
  }
  const bases: string[] = [];
  for (const [i, config] of ["meridian.yaml", "edges.yaml", "edges.yaml"].entries()) {
    const [port, admin] = [edges[2 * i], edges[2 * i + 1]];
    stage.edge(config, {
      ...common,
      EDGE_ID: `edge-${i}`,
      EDGE_PORT: String(port),
      ADMIN_PORT: String(admin),
    });
    await until(`edge ${i}`, async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok);
    bases.push(`http://127.0.0.1:${port}`);
  }
  const [single = "", one = "", two = ""] = bases;

  await methods(single);
  await upload(single);
  await streams(single);
  await jar(single, stage.path("cookies"));
  const file = await curl(`${one}/assets/app.js`);
  see("a file, nginx nearest", file.region === "assets", `${file.status} ${file.region} ${file.reason}`);
  for (const edge of [one, two])
    await until("trust in a Redis that is new", async () => {
      const seen = await curl("-H", "authorization: Bearer nobody-yet", `${edge}/api/notes`);
      return seen.reason === "latency";
    });
  await twoClients(one, two);
  await losing(single, () => stop(replica, "SIGKILL"));
}

const stage = await Stage.open();
try {
  await main(stage);
} finally {
  await stage.close();
}
process.exitCode = wrong === 0 ? 0 : 1;
process.stdout.write(wrong === 0 ? "all as it should be\n" : `${wrong} not as it should be\n`);
