import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { Readable } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { RequestRecord } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

const echo: RequestListener = (req, res) => {
  const chunks: Buffer[] = [];
  req.on("data", (chunk: Buffer) => chunks.push(chunk));
  req.on("end", () => {
    const { method, url, rawHeaders } = req;
    res.setHeader("content-type", "application/json");
    res.end(
      JSON.stringify({ method, url, headers: pairs(rawHeaders), body: Buffer.concat(chunks).toString() }),
    );
  });
};

const replica: RequestListener = (_req, res) => res.end("from the replica");

function pairs(raw: readonly string[]): string[][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name.toLowerCase(), raw[index + 1] ?? ""]] : []));
}

async function scripted(
  t: TestContext,
  handlers: Parameters<typeof startScripted>[0],
  overrides?: Parameters<typeof startScripted>[1],
): Promise<ScriptedWorld> {
  const world = await startScripted(handlers, overrides);
  t.after(() => world.stop());
  return world;
}

function recordsOf({ edge }: ScriptedWorld): RequestRecord[] {
  const records: RequestRecord[] = [];
  edge.events.on("requestDone", (record) => records.push(record));
  return records;
}

interface Echo {
  method: string;
  url: string;
  headers: [string, string][];
  body: string;
}

function seen(echoed: Echo, name: string): string[] {
  return echoed.headers.filter(([key]) => key === name).map(([, value]) => value);
}

describe("a request on its way", { concurrency: 4 }, () => {
  test("passes method, path, query, end-to-end headers and body through", async (t) => {
    const { edge } = await scripted(t, { main: echo });
    const answer = await request(`${edge.httpUrl}/a%2Fb?x=1&x=2`, {
      method: "PATCH",
      headers: { "x-own": "kept", cookie: "a=b" },
      body: "some body",
    });
    const echoed = (await answer.body.json()) as Echo;
    assert.equal(echoed.method, "PATCH");
    assert.equal(echoed.url, "/a%2Fb?x=1&x=2");
    assert.equal(echoed.body, "some body");
    assert.deepEqual(seen(echoed, "x-own"), ["kept"]);
    assert.deepEqual(seen(echoed, "cookie"), ["a=b"]);
    assert.deepEqual(seen(echoed, "x-meridian-edge"), ["edge-under-test"]);
    assert.deepEqual(seen(echoed, "x-meridian-write-epoch"), ["1"]);
  });

  test("removes hop-by-hop headers and what Connection names, but nothing of ours", async (t) => {
    const { edge } = await scripted(t, { main: echo });
    const { text } = await sendRaw(
      edge.httpUrl,
      "GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close, x-secret, x-forwarded-for, via\r\nX-Secret: 1\r\n" +
        "Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\n\r\n",
    );
    const echoed = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as Echo;
    for (const gone of ["x-secret", "keep-alive", "te", "proxy-connection", "proxy-authorization"]) {
      assert.deepEqual(seen(echoed, gone), [], gone);
    }
    assert.deepEqual(seen(echoed, "x-forwarded-for"), ["127.0.0.1"]);
    assert.deepEqual(seen(echoed, "via"), ["1.1 meridian-edge-under-test"]);
    assert.deepEqual(seen(echoed, "host"), ["app.example"]);
  });

  const SPOOFED = {
    "x-forwarded-for": "6.6.6.6",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
    "x-real-ip": "6.6.6.6",
    "x-request-id": "chosen-by-the-client",
    "x-meridian-edge": "forged",
    "x-meridian-principal": "admin",
  };

  test("replaces what a stranger says about the way here", async (t) => {
    const { edge } = await scripted(t, { main: echo });
    const answer = await request(edge.httpUrl, { headers: SPOOFED });
    const echoed = (await answer.body.json()) as Echo;
    assert.deepEqual(seen(echoed, "x-forwarded-for"), ["127.0.0.1"]);
    assert.deepEqual(seen(echoed, "x-forwarded-proto"), ["http"]);
    assert.deepEqual(seen(echoed, "x-forwarded-host"), [new URL(edge.httpUrl).host]);
    assert.deepEqual(seen(echoed, "x-real-ip"), []);
    assert.deepEqual(seen(echoed, "x-meridian-edge"), ["edge-under-test"]);
    assert.deepEqual(seen(echoed, "x-meridian-principal"), []);
    assert.notEqual(seen(echoed, "x-request-id")[0], "chosen-by-the-client");
    assert.match(seen(echoed, "traceparent")[0] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  test("believes and extends what a trusted proxy says", async (t) => {
    const listen = { http: { host: "127.0.0.1", port: 0 }, trustedProxies: ["127.0.0.0/8"] };
    const { edge } = await scripted(t, { main: echo }, { listen });
    const answer = await request(edge.httpUrl, { headers: SPOOFED });
    const echoed = (await answer.body.json()) as Echo;
    assert.deepEqual(seen(echoed, "x-forwarded-for"), ["6.6.6.6, 127.0.0.1"]);
    assert.deepEqual(seen(echoed, "x-forwarded-proto"), ["https"]);
    assert.deepEqual(seen(echoed, "x-request-id"), ["chosen-by-the-client"]);
    assert.equal(answer.headers["x-request-id"], "chosen-by-the-client");
    assert.match(String(answer.headers["set-cookie"]), /; Secure/);
  });

  test("takes a region's own word out of the answer and says why it went there", async (t) => {
    const { edge } = await scripted(t, {
      main: (_req, res) => {
        res.writeHead(200, {
          "x-meridian-principal": "u1",
          "x-meridian-region": "forged",
          "keep-alive": "timeout=9",
        });
        res.end("ok");
      },
    });
    const { headers, body } = await request(edge.httpUrl);
    await body.dump();
    assert.equal(headers["x-meridian-principal"], undefined);
    assert.equal(headers["x-meridian-region"], "main");
    assert.equal(headers["x-meridian-reason"], "priority");
    assert.match(String(headers["server-timing"]), /^edge;dur=[\d.]+, region;dur=[\d.]+$/);
  });

  test("keeps repeated response headers and the status text", async (t) => {
    const { edge } = await scripted(
      t,
      {
        main: (_req, res) => {
          res.writeHead(299, "Peculiar", [
            "set-cookie",
            "a=1",
            "set-cookie",
            "b=2",
            "x-twice",
            "1",
            "x-twice",
            "2",
          ]);
          res.end();
        },
      },
      { affinity: { enabled: false } },
    );
    const { text } = await sendRaw(edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 299 Peculiar\r\n/);
    assert.match(text, /set-cookie: a=1\r\nset-cookie: b=2\r\nx-twice: 1\r\nx-twice: 2\r\n/);
  });

  for (const [method, status] of [
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ] as const) {
    test(`${method} answered with ${status} has no body and keeps the connection in step`, async (t) => {
      const { edge } = await scripted(t, {
        main: (_req, res) => {
          res.writeHead(status, method === "HEAD" ? { "content-length": "5" } : { etag: '"1"' });
          res.end(method === "HEAD" ? "12345" : undefined);
        },
      });
      const one = `${method} / HTTP/1.1\r\nHost: x\r\n\r\n`;
      const { text } = await sendRaw(edge.httpUrl, one + one, { forMs: 500 });
      assert.equal(text.split(`HTTP/1.1 ${status} `).length - 1, 2, text);
      assert.ok(!text.includes("12345"));
    });
  }

  test("a 204 announces no content, whatever the region says", async (t) => {
    const { edge } = await scripted(t, {
      main: (req) => req.socket.end("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n"),
    });
    const { text } = await sendRaw(edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 204 /);
    assert.doesNotMatch(text, /content-length/i);
  });

  test("passes trailers and early hints on", async (t) => {
    const { edge } = await scripted(t, {
      main: (_req, res) => {
        res.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
        res.writeHead(200, { trailer: "x-checksum" });
        res.write("body");
        res.addTrailers({ "x-checksum": "abc" });
        res.end();
      },
    });
    const hints: string[] = [];
    const req = httpRequest(edge.httpUrl);
    req.on("information", (info) => hints.push(`${info.statusCode} ${info.headers.link}`));
    req.end();
    const [res] = (await once(req, "response")) as [IncomingMessage];
    res.resume();
    await once(res, "end");
    assert.deepEqual(hints, ["103 </style.css>; rel=preload; as=style"]);
    assert.equal(res.trailers["x-checksum"], "abc");
  });

  test("tells a client that waits for 100 Continue to go on, once a region takes the request", async (t) => {
    const { edge } = await scripted(t, { main: echo });
    const req = httpRequest(edge.httpUrl, {
      method: "POST",
      headers: { expect: "100-continue", "content-length": 4 },
    });
    let continued = false;
    req.on("continue", () => {
      continued = true;
      req.end("late");
    });
    req.flushHeaders();
    const [res] = (await once(req, "response")) as [IncomingMessage];
    const echoed = JSON.parse((await res.toArray()).join("")) as Echo;
    assert.ok(continued);
    assert.equal(echoed.body, "late");
    assert.deepEqual(seen(echoed, "expect"), []);
  });

  test("refuses a client that waits for 100 Continue without asking for its body", async (t) => {
    const { edge } = await scripted(t, { main: echo }, { proxy: { maxBodyBytes: 10 } });
    const { text } = await sendRaw(
      edge.httpUrl,
      "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4000\r\n\r\n",
    );
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.match(text, /connection: close/i);
  });

  test("cuts a body of unknown length at the limit and answers 413", async (t) => {
    const { edge } = await scripted(t, { main: echo }, { proxy: { maxBodyBytes: 1_000 } });
    const { statusCode, body } = await request(edge.httpUrl, {
      method: "POST",
      body: Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(100))),
    });
    assert.equal(statusCode, 413);
    assert.equal(((await body.json()) as { fault: string }).fault, "body_too_large");
  });

  test("streams a response as it comes", async (t) => {
    const { edge } = await scripted(t, {
      main: (_req, res) => {
        res.writeHead(200, { "content-type": "text/event-stream" });
        res.write("data: first\n\n");
      },
    });
    const { body } = await request(edge.httpUrl);
    const [chunk] = (await once(body, "data")) as [Buffer];
    assert.equal(chunk.toString(), "data: first\n\n");
    body.destroy();
    body.on("error", () => {});
  });

  test("lets a slow reader hold the region back instead of filling memory", async (t) => {
    let written = 0;
    const { edge } = await scripted(t, {
      main: (_req, res) => {
        const chunk = Buffer.alloc(64 * 1_024);
        const push = (): void => {
          while (written < 64 * 1_024 * 1_024) {
            written += chunk.length;
            if (!res.write(chunk)) return void res.once("drain", push);
          }
          res.end();
        };
        push();
      },
    });
    const req = httpRequest(edge.httpUrl).end();
    const [res] = (await once(req, "response")) as [IncomingMessage];
    res.pause();
    await sleep(700);
    assert.ok(written < 32 * 1_024 * 1_024, `${written} bytes were taken while nobody read`);
    let received = 0;
    for await (const chunk of res) received += (chunk as Buffer).length;
    assert.equal(received, 64 * 1_024 * 1_024);
  });

  test("a response that the region cuts stays cut", async (t) => {
    const { edge } = await scripted(t, {
      main: (_req, res) => {
        res.writeHead(200, { "content-length": "100000" });
        res.write("only this");
        setTimeout(() => res.destroy(), 50);
      },
    });
    const { text, closed } = await sendRaw(edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(text, /only this$/);
    assert.notEqual(closed, "open");
  });

  test("a chunked response that the region cuts has no final chunk", async (t) => {
    const { edge } = await scripted(t, {
      main: (_req, res) => {
        res.write("only this");
        setTimeout(() => res.destroy(), 50);
      },
    });
    const { text } = await sendRaw(edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.ok(text.includes("only this") && !text.includes("\r\n0\r\n"), text);
  });

  test("a client that leaves ends a safe request at the region", async (t) => {
    let aborted = false;
    const { edge } = await scripted(t, {
      main: (_req, res) => {
        res.on("close", () => {
          aborted = !res.writableFinished;
        });
      },
    });
    const req = httpRequest(edge.httpUrl).end();
    req.on("error", () => {});
    await sleep(100);
    req.destroy();
    await eventually(() => aborted);
  });

  test("a client that leaves does not end a write: its outcome is still awaited", async (t) => {
    let finished = false;
    const world = await scripted(t, {
      main: (_req, res) => {
        setTimeout(() => {
          finished = !res.destroyed;
          res.end("done");
        }, 300);
      },
    });
    const records = recordsOf(world);
    const req = httpRequest(world.edge.httpUrl, { method: "POST" }).end();
    req.on("error", () => {});
    await sleep(100);
    req.destroy();
    await eventually(() => records.length > 0);
    const [record] = records;
    assert.ok(finished);
    assert.deepEqual(
      record?.attempts.map(({ outcome }) => outcome),
      [200],
    );
    assert.equal(record?.status, 499);
  });

  test("tries the other endpoint of the region, then the other region, when connections are refused", async (t) => {
    const world = await scripted(t, { main: [echo, echo], other: replica });
    await world.regions.main?.stop();
    await world.regions["main.1"]?.stop();
    const records = recordsOf(world);
    for (let i = 0; i < 4; i += 1) {
      const { statusCode, headers, body } = await request(world.edge.httpUrl);
      assert.equal(await body.text(), "from the replica");
      assert.equal(statusCode, 200);
      assert.equal(headers["x-meridian-reason"], i === 0 ? "retry" : headers["x-meridian-reason"]);
      assert.equal(headers["set-cookie"], undefined, "a retry makes no home");
    }
    assert.deepEqual(
      records[0]?.attempts.map(({ region, outcome }) => `${region} ${outcome}`),
      ["main connect_failed", "main connect_failed", "other 200"],
    );
  });

  test("a write whose connection was refused goes to the other endpoint of the write region", async (t) => {
    const world = await scripted(t, { main: [echo, echo] });
    await world.regions.main?.stop();
    for (let i = 0; i < 6; i += 1) {
      const { statusCode, body } = await request(world.edge.httpUrl, { method: "POST", body: "x" });
      await body.dump();
      assert.equal(statusCode, 200);
    }
  });

  test("a write that may have been executed is never sent twice", async (t) => {
    let executed = 0;
    const cut: RequestListener = (req) => {
      executed += 1;
      req.socket.destroy();
    };
    const world = await scripted(t, { main: [cut, cut] });
    const { statusCode, body } = await request(world.edge.httpUrl, { method: "POST" });
    assert.equal(statusCode, 502);
    assert.equal(((await body.json()) as { fault: string }).fault, "reset");
    assert.equal(executed, 1);
  });

  test("a read whose connection was reset is tried elsewhere", async (t) => {
    const world = await scripted(t, { main: (req) => req.socket.destroy(), other: replica });
    const { statusCode, headers, body } = await request(world.edge.httpUrl);
    assert.equal(await body.text(), "from the replica");
    assert.equal(statusCode, 200);
    assert.equal(headers["x-meridian-reason"], "retry");
  });

  test("a region that does not answer in time is a 504", async (t) => {
    const { edge } = await scripted(
      t,
      { main: () => {} },
      { proxy: { responseTimeout: "1s" }, health: { interval: "30s" } },
    );
    const { statusCode, body } = await request(edge.httpUrl, { method: "POST" });
    assert.equal(statusCode, 504);
    assert.equal(((await body.json()) as { fault: string }).fault, "response_timeout");
  });

  test("a region that talks nonsense is a 502", async (t) => {
    const { edge } = await scripted(t, { main: (req) => req.socket.end("SSH-2.0-OpenSSH_9.2\r\n") });
    const { statusCode, headers, body } = await request(edge.httpUrl, { method: "POST" });
    assert.equal(statusCode, 502);
    assert.equal(headers["content-type"], "application/problem+json");
    const problem = (await body.json()) as Record<string, unknown>;
    assert.equal(problem.fault, "bad_response");
    assert.equal(problem.requestId, headers["x-request-id"]);
  });

  test("a region that takes no writes when its writer is down gives 503 with Retry-After", async (t) => {
    const world = await scripted(
      t,
      { main: echo, other: replica },
      { health: { interval: "200ms", timeout: "100ms", fall: 1 } },
    );
    await world.regions.main?.stop();
    await eventually(() => world.edge.table.view.byId.get("main")?.health === "down");
    const { statusCode, headers, body } = await request(world.edge.httpUrl, { method: "POST" });
    assert.equal(statusCode, 503);
    assert.equal(headers["retry-after"], "1");
    assert.equal(((await body.json()) as { fault: string }).fault, "writer_down");
  });

  for (const [why, bytes, status] of [
    ["two Host headers", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    ["a Host that is no host", "GET / HTTP/1.1\r\nHost: a b@c\r\n\r\n", 400],
    ["a target that is no path", "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
    [
      "a body framed twice",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    [
      "Transfer-Encoding in HTTP/1.0",
      "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    [
      "a request that has been here before",
      "GET / HTTP/1.1\r\nHost: x\r\nVia: 1.1 meridian-edge-under-test\r\n\r\n",
      508,
    ],
    ["a head that is too large", `GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${"x".repeat(40_000)}\r\n\r\n`, 431],
    ["bytes that are not HTTP", "\x16\x03\x01\x02\x00\x01\x00", 400],
  ] as const) {
    test(`refuses ${why} with ${status}`, async (t) => {
      const { edge } = await scripted(t, { main: echo });
      const { text } = await sendRaw(edge.httpUrl, bytes, { forMs: 1_500 });
      assert.match(text, new RegExp(`^HTTP/1.1 ${status} `), text);
      const after = await request(edge.httpUrl);
      assert.equal(after.statusCode, 200, "and goes on serving");
      await after.body.dump();
    });
  }

  test("an absolute-form target outranks Host", async (t) => {
    const { edge } = await scripted(t, { main: echo });
    const { text } = await sendRaw(
      edge.httpUrl,
      "GET http://one.example/path?q HTTP/1.1\r\nHost: two.example\r\nConnection: close\r\n\r\n",
    );
    const echoed = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as Echo;
    assert.equal(echoed.url, "/path?q");
    assert.deepEqual(seen(echoed, "host"), ["one.example"]);
  });

  test("a body on DELETE is framed on its way to the region and smuggles nothing", async (t) => {
    const { edge } = await scripted(t, { main: echo });
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    const { text } = await sendRaw(
      edge.httpUrl,
      `DELETE /real HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
      { forMs: 500 },
    );
    assert.equal(text.split("HTTP/1.1 200").length - 1, 1, text);
    assert.match(text, /"url":"\/real"/);
  });

  test("every request is told of exactly once, with what became of it", async (t) => {
    const world = await scripted(t, { main: echo });
    const records = recordsOf(world);
    for (let i = 0; i < 20; i += 1) await (await request(`${world.edge.httpUrl}/p?secret=1`)).body.dump();
    await eventually(() => records.length === 20);
    assert.equal(new Set(records.map(({ id }) => id)).size, 20);
    const [record] = records;
    assert.ok(record);
    const { method, path, status, region, reason, fault, complete, attempts, pin } = record;
    assert.deepEqual(
      { method, path, status, region, reason, fault, complete, attempts: attempts.length, pin },
      {
        method: "GET",
        path: "/p",
        status: 200,
        region: "main",
        reason: "priority",
        fault: null,
        complete: true,
        attempts: 1,
        pin: "free",
      },
    );
  });
});
