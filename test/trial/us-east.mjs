// The write region: an Express application with sessions, notes, uploads, downloads, events and a chat.
import { createHash, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import express from "express";
import { WebSocketServer } from "ws";

const port = Number(process.argv[2]);
const delayMs = Number(process.argv[3] ?? 60);
const site = fileURLToPath(new URL("site/", import.meta.url));

/** Everything that replicates, in order: { at, kind: "session" | "note" | "gone", ... }. */
const log = [];
const sessions = new Map();
const notes = new Map();
const listeners = new Set();

function append(entry) {
  log.push({ ...entry, at: Date.now() });
  for (const listener of listeners) listener(entry);
}

const app = express();
app.disable("x-powered-by");
app.use((req, _res, next) => (req.path === "/replication" ? next() : setTimeout(next, delayMs)));
app.use((req, res, next) => {
  res.set("x-app", "express/us-east");
  const cookie = /(?:^|;\s*)session=([^;]+)/.exec(req.headers.cookie ?? "")?.[1];
  const bearer = /^Bearer (.+)$/.exec(req.headers.authorization ?? "")?.[1];
  req.user = bearer ?? sessions.get(cookie);
  next();
});

app.get("/healthz", (_req, res) => res.json({ status: "ok", writer: true, lagMs: 0 }));
app.get("/replication", (req, res) => res.json(log.slice(Number(req.query.since ?? 0))));

app.post("/login", express.urlencoded(), express.json(), (req, res) => {
  const id = randomUUID();
  sessions.set(id, req.body.user);
  append({ kind: "session", id, user: req.body.user });
  res.cookie("session", id, { httpOnly: true, sameSite: "lax" }).redirect(303, "/me");
});
app.get("/me", (req, res) => res.status(req.user ? 200 : 401).json({ user: req.user ?? null }));

const signedIn = (req, res, next) => (req.user ? next() : res.status(401).json({ error: "log in first" }));
app.get("/api/notes", signedIn, (req, res) =>
  res.json([...notes.values()].filter((note) => note.user === req.user)),
);
app.post("/api/notes", signedIn, express.json(), (req, res) => {
  const note = { id: randomUUID(), user: req.user, text: String(req.body.text) };
  notes.set(note.id, note);
  append({ kind: "note", note });
  res.status(201).location(`/api/notes/${note.id}`).json(note);
});
for (const method of ["put", "patch"]) {
  app[method]("/api/notes/:id", signedIn, express.json(), (req, res) => {
    const note = {
      ...notes.get(req.params.id),
      id: req.params.id,
      user: req.user,
      text: String(req.body.text),
    };
    notes.set(note.id, note);
    append({ kind: "note", note });
    res.json(note);
  });
}
app.delete("/api/notes/:id", signedIn, (req, res) => {
  notes.delete(req.params.id);
  append({ kind: "gone", id: req.params.id });
  res.status(204).end();
});

app.put("/upload", (req, res) => {
  const hash = createHash("sha256");
  let bytes = 0;
  req.on("data", (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  req.on("end", () =>
    res.json({ bytes, sha256: hash.digest("hex"), chunked: !req.headers["content-length"] }),
  );
});
app.get("/download", (req, res) => {
  let left = Number(req.query.bytes);
  const block = Buffer.alloc(65_536, "meridian");
  res.set("content-length", String(left)).type("application/octet-stream");
  const pump = () => {
    while (left > 0) {
      const piece = left < block.length ? block.subarray(0, left) : block;
      left -= piece.length;
      if (!res.write(piece)) return res.once("drain", pump);
    }
    res.end();
  };
  pump();
});
app.get("/headers", (req, res) => res.json(req.rawHeaders));
app.get("/events", (req, res) => {
  res.set({ "content-type": "text/event-stream", "cache-control": "no-store" });
  res.write(`event: hello\ndata: us-east\n\n`);
  let n = 0;
  const timer = setInterval(() => res.write(`id: ${++n}\ndata: tick ${n}\n\n`), 250);
  req.on("close", () => clearInterval(timer));
});
app.use(express.static(site));

const server = createServer(app);
const chat = new WebSocketServer({ server, path: "/ws" });
chat.on("connection", (socket, req) => {
  socket.send(JSON.stringify({ hello: "us-east", forwardedFor: req.headers["x-forwarded-for"] ?? null }));
  socket.on("message", (data, binary) => {
    for (const client of chat.clients) client.send(data, { binary });
  });
});
server.listen(port, "127.0.0.1", () => process.stdout.write(`us-east (Express) on ${port}\n`));
