import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { RequestRecord } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { startScripted } from "../support/scripted.ts";

async function scripted(t: TestContext, main: RequestListener) {
  const world = await startScripted({ main });
  t.after(() => world.stop());
  const records: RequestRecord[] = [];
  world.edge.events.on("requestDone", (record) => records.push(record));
  return { edge: world.edge, records };
}

const ask = (target: string, method = "GET", more = ""): string =>
  `${method} ${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

test("a read that is pipelined behind a write comes to the region after it", async (t) => {
  const seen: string[] = [];
  const { edge } = await scripted(t, (req, res) => {
    seen.push(`${req.method} begins`);
    setTimeout(
      () => {
        seen.push(`${req.method} ends`);
        res.end(`answer to ${req.method}`);
      },
      req.method === "PUT" ? 100 : 0,
    );
  });
  const { text } = await sendRaw(
    edge.httpUrl,
    ask("/", "PUT", "Content-Length: 0\r\n") + ask("/", "GET", "Connection: close\r\n"),
  );
  assert.match(text, /answer to PUT[\s\S]*answer to GET/);
  assert.deepEqual(seen, ["PUT begins", "PUT ends", "GET begins", "GET ends"]);
});

test("a thousand requests in one packet are never two requests to a region at a time", async (t) => {
  let now = 0;
  let most = 0;
  let count = 0;
  const { edge } = await scripted(t, (_req, res) => {
    now += 1;
    count += 1;
    most = Math.max(most, now);
    setImmediate(() => {
      now -= 1;
      res.end();
    });
  });
  const socket = connect(Number(new URL(edge.httpUrl).port), "127.0.0.1");
  t.after(() => socket.destroy());
  socket.resume();
  socket.write(ask("/").repeat(1_000));
  await eventually(() => count === 1_000, { withinMs: 20_000 });
  assert.equal(most, 1);
});

test("of pipelined requests whose client leaves those that had not begun reach no region", async (t) => {
  let asked = 0;
  const { edge, records } = await scripted(t, () => {
    asked += 1;
  });
  const socket = connect(Number(new URL(edge.httpUrl).port), "127.0.0.1");
  socket.write(ask("/").repeat(5));
  await eventually(() => asked === 1);
  socket.destroy();
  await eventually(() => records.length === 1);
  await sleep(50);
  assert.equal(asked, 1);
});

test("a request is answered although what comes behind it is none, and then the connection ends", async (t) => {
  const { edge } = await scripted(t, (_req, res) => void setTimeout(() => res.end("first"), 100));
  const { text, closed } = await sendRaw(edge.httpUrl, `${ask("/")}nonsense\r\n\r\n${ask("/")}`);
  assert.match(text, /^HTTP\/1\.1 200 [\s\S]*firstHTTP\/1\.1 400 /);
  assert.equal(text.split("first").length - 1, 1);
  assert.notEqual(closed, "open");
});

test("a body that turns out to be none is answered, and its request ends at the region", async (t) => {
  let aborted = false;
  const { edge, records } = await scripted(t, (req) => {
    req.resume();
    req.on("error", () => {
      aborted = !req.complete;
    });
  });
  const socket = connect(Number(new URL(edge.httpUrl).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => {});
  socket.write(`${ask("/", "POST", "Transfer-Encoding: chunked\r\n")}5\r\nhello\r\n`);
  await eventually(() => edge.table.status().some(({ requestsInFlight }) => requestsInFlight === 1));
  socket.write("no chunk\r\n");
  await eventually(() => aborted && records.length === 1);
  assert.match(text, /^HTTP\/1\.1 400 [\s\S]*bad_request/);
});

test("a head whose body is long in coming goes to the client at once", async (t) => {
  const { edge } = await scripted(t, (_req, res) => res.writeHead(200, { "x-early": "1" }).flushHeaders());
  const req = httpRequest(edge.httpUrl).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  assert.equal(res.headers["x-early"], "1");
  res.on("error", () => {});
  req.destroy();
});
