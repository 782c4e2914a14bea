// A replica: a Koa application that pulls the writer's log and applies each entry 800 ms after it was written.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { PassThrough, Readable } from "node:stream";
import Koa from "koa";
import { WebSocketServer } from "ws";

const port = Number(process.argv[2]);
const writer = process.argv[3];
const delayMs = Number(process.argv[4] ?? 20);
const lagMs = Number(process.argv[5] ?? 800);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const sessions = new Map();
const notes = new Map();
const pending = [];
let pulled = 0;

function apply(entry) {
  if (entry.kind === "session") sessions.set(entry.id, entry.user);
  else if (entry.kind === "note") notes.set(entry.note.id, entry.note);
  else notes.delete(entry.id);
}

async function replicate() {
  for (;;) {
    try {
      const answer = await fetch(`${writer}/replication?since=${pulled}`);
      const entries = await answer.json();
      pulled += entries.length;
      pending.push(...entries);
    } catch {
      // The writer is away; what has been pulled still applies.
    }
    while (pending.length > 0 && Date.now() - pending[0].at >= lagMs) apply(pending.shift());
    await pause(50);
  }
}
replicate();

const app = new Koa();
app.on("error", () => {});
app.use(async (ctx, next) => {
  await pause(delayMs);
  ctx.set("x-app", "koa/eu-west");
  if (!["GET", "HEAD", "OPTIONS"].includes(ctx.method)) ctx.throw(421, "not the writer");
  const bearer = /^Bearer (.+)$/.exec(ctx.get("authorization"))?.[1];
  ctx.state.user = bearer ?? sessions.get(ctx.cookies.get("session"));
  await next();
});
app.use(async (ctx) => {
  const { user } = ctx.state;
  switch (ctx.path) {
    case "/healthz":
      ctx.body = { status: "ok", writer: false, lagMs };
      return;
    case "/me":
      ctx.status = user ? 200 : 401;
      ctx.body = { user: user ?? null };
      return;
    case "/api/notes":
      ctx.status = user ? 200 : 401;
      ctx.body = user ? [...notes.values()].filter((note) => note.user === user) : { error: "log in first" };
      return;
    case "/headers":
      ctx.body = ctx.req.rawHeaders;
      return;
    case "/download":
      ctx.type = "application/octet-stream";
      ctx.length = Number(ctx.query.bytes);
      ctx.body = Readable.from(blocks(Number(ctx.query.bytes)));
      return;
    case "/events": {
      ctx.type = "text/event-stream";
      ctx.set("cache-control", "no-store");
      const stream = new PassThrough();
      stream.write(`event: hello\ndata: eu-west\n\n`);
      let n = 0;
      const timer = setInterval(() => stream.write(`id: ${++n}\ndata: tick ${n}\n\n`), 250);
      ctx.req.on("close", () => clearInterval(timer));
      ctx.body = stream;
      return;
    }
  }
  const path = ctx.path.endsWith("/") ? `${ctx.path}index.html` : ctx.path;
  if (path.includes("..")) return;
  const file = new URL(`site${path}`, import.meta.url);
  const found = await stat(file).catch(() => null);
  if (!found?.isFile()) return;
  ctx.type = extname(path);
  ctx.length = found.size;
  ctx.lastModified = found.mtime;
  ctx.body = createReadStream(file);
});

function* blocks(bytes) {
  const block = Buffer.alloc(65_536, "meridian");
  for (let left = bytes; left > 0; left -= block.length)
    yield left < block.length ? block.subarray(0, left) : block;
}

const server = app.listen(port, "127.0.0.1", () => process.stdout.write(`eu-west (Koa) on ${port}\n`));
const echo = new WebSocketServer({ server, path: "/ws" });
echo.on("connection", (socket, req) => {
  socket.send(JSON.stringify({ hello: "eu-west", forwardedFor: req.headers["x-forwarded-for"] ?? null }));
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
