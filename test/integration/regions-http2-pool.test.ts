import assert from "node:assert/strict";
import { once } from "node:events";
import { constants, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, errors } from "undici";
import { createPool, type PoolSettings, type RequestPool } from "../../src/regions/pool.ts";
import { transportOf } from "../../src/regions/transport.ts";
import { eventually } from "../support/eventually.ts";
import { type Call, GrpcRegion } from "../support/grpc-region.ts";

const SETTINGS: PoolSettings = {
  connectionsPerEndpoint: 8,
  connectTimeout: 500,
  responseTimeout: 1_000,
  idleTimeout: 1_000,
  maxHeaderBytes: 4_096,
};

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly error: (Error & { code?: string }) | null;
}

interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly body?: AsyncIterable<Buffer>;
  readonly headersTimeout?: number;
  readonly bodyTimeout?: number;
  /** Told of the controller, and of each chunk. */
  readonly started?: (controller: Dispatcher.DispatchController) => void;
  readonly heard?: (controller: Dispatcher.DispatchController, chunk: Buffer) => void;
}

/** Somebody who takes connections and says nothing, and a pool to him. */
async function silent(
  t: TestContext,
): Promise<{ readonly sockets: readonly Socket[]; readonly pool: RequestPool }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {}).resume()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { sockets, pool: poolTo(t, (server.address() as AddressInfo).port) };
}

function ask(pool: RequestPool, { started, heard, ...question }: Question = {}): Promise<Answer> {
  return new Promise((resolve) => {
    let head: Pick<Answer, "status" | "headers"> = { status: 0, headers: {} };
    const chunks: Buffer[] = [];
    const end = (trailers: Answer["trailers"], error: Answer["error"]) =>
      resolve({ ...head, body: Buffer.concat(chunks).toString(), trailers, error });
    pool.dispatch({ method: "GET", path: "/", ...question } as unknown as Dispatcher.DispatchOptions, {
      onRequestStart: (controller) => started?.(controller),
      onResponseStart: (_, status, headers) => (head = { status, headers: { ...headers } }),
      onResponseData: (controller, chunk) => {
        chunks.push(chunk);
        heard?.(controller, chunk);
      },
      onResponseEnd: (_, trailers) => end({ ...trailers }, null),
      onResponseError: (_, error) => end({}, error),
    });
  });
}

async function region(t: TestContext, calls: Readonly<Record<string, Call>>, streams = 100) {
  const server = new GrpcRegion(calls, null, streams);
  const port = await server.start();
  t.after(() => server.stop());
  return { server, pool: poolTo(t, port) };
}

function poolTo(t: TestContext, port: number, settings: Partial<PoolSettings> = {}): RequestPool {
  const transport = transportOf(`h2c://127.0.0.1:${port}`, { http2: false });
  const pool = createPool(transport, { ...SETTINGS, ...settings });
  t.after(() => pool.destroy());
  return pool;
}

async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) {
    yield Buffer.from(text);
    await sleep(5);
  }
}

const says = (text: string) => (stream: ServerHttp2Stream) => {
  stream.respond({ ":status": 200 });
  stream.end(text);
};

describe("the pool of a region over HTTP/2", { concurrency: 4 }, () => {
  test("a region that wants few streams gets no more at a time, over several connections", async (t) => {
    let [open, most] = [0, 0];
    const { server, pool } = await region(
      t,
      {
        "/": (stream) => {
          open += 1;
          most = Math.max(most, open);
          stream.once("close", () => (open -= 1));
          setTimeout(() => says("ok")(stream), 20);
        },
      },
      2,
    );
    await ask(pool);
    const all = await Promise.all(Array.from({ length: 40 }, () => ask(pool)));
    assert.deepEqual([...new Set(all.map(({ body }) => body))], ["ok"]);
    assert.ok(server.opened > 1 && server.opened <= SETTINGS.connectionsPerEndpoint, `${server.opened}`);
    assert.ok(most <= 2 * SETTINGS.connectionsPerEndpoint, `${most}`);
  });

  test("the first requests share one connection, and an idle one serves the next", async (t) => {
    const { server, pool } = await region(t, { "/": says("ok") });
    const all = await Promise.all(Array.from({ length: 30 }, () => ask(pool)));
    assert.equal(all.filter(({ body }) => body === "ok").length, 30);
    await ask(pool);
    assert.equal(server.opened, 1);
  });

  for (const method of ["GET", "POST"]) {
    test(`a ${method} that was refused unseen is sent again, whole, and once`, async (t) => {
      let tries = 0;
      const bodies: string[] = [];
      const refuse = (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM);
      const { pool } = await region(t, {
        "/": (stream) => {
          tries += 1;
          if (tries === 1) return setTimeout(refuse, 30, stream) as unknown as undefined;
          let text = "";
          stream.on("data", (chunk) => (text += chunk));
          stream.on("end", () => {
            bodies.push(text);
            says("ok")(stream);
          });
          return undefined;
        },
        "/never": (stream) => {
          tries += 1;
          refuse(stream);
        },
      });
      const body =
        method === "POST" ? { body: chunksOf("one ", "two ", "three ", "four ", "five ", "six") } : {};
      assert.equal((await ask(pool, { method, ...body })).body, "ok");
      assert.deepEqual(bodies, [method === "POST" ? "one two three four five six" : ""]);
      tries = 0;
      const { error } = await ask(pool, { method, path: "/never" });
      assert.match(error?.message ?? "", /REFUSED_STREAM/);
      assert.equal(tries, 2);
    });
  }

  test("a large body that was refused is not sent again, for its beginning is not kept", async (t) => {
    let tries = 0;
    const { pool } = await region(t, {
      "/": (stream) => {
        tries += 1;
        let bytes = 0;
        stream.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > 100_000) stream.close(constants.NGHTTP2_REFUSED_STREAM);
        });
      },
    });
    const body = chunksOf(...Array.from({ length: 20 }, () => "a".repeat(10_000)));
    const { error } = await ask(pool, { method: "POST", body });
    assert.match(error?.message ?? "", /REFUSED_STREAM/);
    assert.equal(tries, 1);
  });

  test("an upload that breaks off is reset, and never looks whole", async (t) => {
    const seen: string[] = [];
    const { pool } = await region(t, {
      "/": (stream) => {
        stream.resume();
        stream.once("end", () => !stream.aborted && seen.push("whole"));
        stream.once("close", () => seen.push(`reset ${stream.rstCode}`));
      },
    });
    async function* broken(): AsyncGenerator<Buffer> {
      yield* chunksOf("half");
      throw new Error("the client left");
    }
    const { error } = await ask(pool, { method: "POST", body: broken() });
    assert.equal(error?.message, "the client left");
    await eventually(() => assert.deepEqual(seen, [`reset ${constants.NGHTTP2_CANCEL}`]));
    const aborted = ask(pool, {
      method: "POST",
      body: chunksOf(...Array<string>(1_000).fill("more")),
      started: (controller) => setTimeout(() => controller.abort(new Error("given up")), 20),
    });
    assert.equal((await aborted).error?.message, "given up");
    await eventually(() => assert.deepEqual(seen.slice(1), [`reset ${constants.NGHTTP2_CANCEL}`]));
  });

  test("a body is asked for no faster than the region takes it, and not at all after the answer", async (t) => {
    let yielded = 0;
    let ended = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) {
          yielded += 1;
          yield Buffer.alloc(16_384);
        }
      } finally {
        ended = true;
      }
    }
    const { pool } = await region(t, {
      "/": (stream) => void setTimeout(() => says("enough")(stream), 300),
    });
    const { body } = await ask(pool, { method: "POST", body: endless() });
    assert.equal(body, "enough");
    assert.ok(yielded < 40, `${yielded}`);
    await eventually(() => ended);
  });

  test("an answer is read no faster than somebody takes it", async (t) => {
    const { pool } = await region(t, { "/": says("a".repeat(4_000_000)) });
    let paused: Dispatcher.DispatchController | null = null;
    let bytes = 0;
    const asked = ask(pool, {
      heard: (controller, chunk) => {
        bytes += chunk.length;
        if (paused === null) {
          paused = controller;
          controller.pause();
        }
      },
    });
    await eventually(() => paused !== null);
    const atPause = bytes;
    await sleep(100);
    assert.equal(bytes, atPause);
    (paused as Dispatcher.DispatchController | null)?.resume();
    assert.equal((await asked).body.length, 4_000_000);
  });

  test("what has no body has none, whatever length its head announces", async (t) => {
    const { pool } = await region(t, {
      "/": (stream) => stream.respond({ ":status": 200, "content-length": "100" }, { endStream: true }),
      "/304": (stream) => stream.respond({ ":status": 304, "content-length": "100" }, { endStream: true }),
      "/204": (stream) => stream.respond({ ":status": 204 }, { endStream: true }),
    });
    assert.equal((await ask(pool, { method: "HEAD" })).headers["content-length"], "100");
    assert.deepEqual(
      [(await ask(pool, { path: "/304" })).status, (await ask(pool, { path: "/204" })).status],
      [304, 204],
    );
    assert.notEqual((await ask(pool, { path: "/" })).error, null);
  });

  test("a head that is too large, and an answer cut off, are errors of that request alone", async (t) => {
    const { server, pool } = await region(t, {
      "/": says("ok"),
      "/large": (stream) => {
        stream.respond({ ":status": 200, "x-large": "a".repeat(5_000) });
        stream.end();
      },
      "/cut": (stream) => {
        stream.respond({ ":status": 200 });
        stream.write("half", () => setTimeout(() => stream.destroy(new Error("cut")), 20));
      },
      "/short": (stream) => {
        stream.respond({ ":status": 200, "content-length": "100" });
        stream.end("half");
      },
    });
    for (const path of ["/large", "/cut", "/short"]) {
      const { error } = await ask(pool, { path });
      assert.notEqual(error, null, path);
    }
    assert.equal((await ask(pool)).body, "ok");
    assert.ok(server.opened <= 2, `${server.opened}`);
  });

  test("a late answer ends alone, for the connection says that it lives", async (t) => {
    const { server, pool } = await region(t, {
      "/": says("ok"),
      "/never": () => {},
      "/stalls": (stream) => {
        stream.respond({ ":status": 200 });
        stream.write("half");
      },
    });
    const [never, stalls] = await Promise.all([
      ask(pool, { path: "/never", headersTimeout: 100 }),
      ask(pool, { path: "/stalls", bodyTimeout: 100 }),
    ]);
    assert.equal(never.error?.code, "UND_ERR_HEADERS_TIMEOUT");
    assert.equal(stalls.error?.code, "UND_ERR_BODY_TIMEOUT");
    await sleep(2_500);
    assert.equal((await ask(pool)).body, "ok");
    assert.equal(server.opened, 1);
  });

  test("a connection that answers nothing at all is given up for another", async (t) => {
    const { sockets, pool } = await silent(t);
    assert.equal((await ask(pool, { headersTimeout: 100 })).error?.code, "UND_ERR_HEADERS_TIMEOUT");
    await eventually(() => assert.ok(sockets[0]?.destroyed || sockets[0]?.readableEnded));
    await ask(pool, { headersTimeout: 100 });
    assert.equal(sockets.length, 2);
  });

  test("so it is when whoever has sent the request has waited for long enough", async (t) => {
    const { sockets, pool } = await silent(t);
    const late = new errors.HeadersTimeoutError();
    const started = (controller: Dispatcher.DispatchController) =>
      void sleep(100).then(() => controller.abort(late));
    assert.equal((await ask(pool, { started })).error, late);
    await eventually(() => assert.ok(sockets[0]?.destroyed || sockets[0]?.readableEnded));
  });

  test("nobody at the port, nobody who takes connections, and nobody who speaks HTTP/2 are told apart", async (t) => {
    const http1 = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
    });
    await once(http1.listen(0, "127.0.0.1"), "listening");
    t.after(() => http1.close());
    const { port } = http1.address() as AddressInfo;
    assert.notEqual((await ask(poolTo(t, port))).error, null);
    const { server } = await region(t, {});
    const { port: gone } = server.server.address() as AddressInfo;
    await server.stop();
    assert.equal((await ask(poolTo(t, gone))).error?.code, "ECONNREFUSED");
    await server.start();
  });

  test("a pool that closes lets its calls end and takes no more; one that is destroyed cuts them", async (t) => {
    const streams: ServerHttp2Stream[] = [];
    const { pool } = await region(t, { "/": (stream) => void streams.push(stream) });
    const first = ask(pool);
    await eventually(() => streams.length === 1);
    const closed = pool.close();
    assert.throws(() => pool.dispatch({ method: "GET", path: "/" }, {}), /closed/);
    const [stream] = streams;
    if (stream) says("to its end")(stream);
    assert.equal((await first).body, "to its end");
    await closed;

    const { pool: other, server } = await region(t, { "/": (one) => void streams.push(one) });
    const second = ask(other);
    await eventually(() => streams.length === 2);
    await other.destroy();
    assert.notEqual((await second).error, null);
    await eventually(() => assert.equal(server.sessions.size, 0));
  });

  test("whatever a region does, every request ends, once, and the next ones are served", async (t) => {
    // A generator of its own, so that a failure comes again.
    let seed = 20_261;
    const chance = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const moods: readonly Call[] = [
      ...Array<Call>(40).fill(says("ok")),
      ...Array<Call>(10).fill(says("a".repeat(100_000))),
      (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
      (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
      (stream) => void setTimeout(() => stream.session?.close(), 5),
      (stream) => stream.session?.close(),
      (stream) => stream.session?.destroy(),
      (stream) => stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM),
      (stream) => {
        stream.respond({ ":status": 200 });
        stream.write("half", () => stream.session?.destroy());
      },
      (stream) => stream.session?.settings({ maxConcurrentStreams: 1 + Math.floor(chance() * 50) }),
    ];
    const { server, pool } = await region(t, {
      "/": says("ok"),
      "/mood": (stream, headers) => moods[Math.floor(chance() * moods.length)]?.(stream, headers),
    });
    let asked = 0;
    const ends = new Map<string, number>();
    const client = async () => {
      while (asked < 1_500) {
        asked += 1;
        const upload = chance() < 0.3 ? { method: "POST", body: chunksOf("one", "two") } : {};
        const { error } = await ask(pool, {
          path: "/mood",
          headersTimeout: 200,
          bodyTimeout: 200,
          ...upload,
        });
        const end = error === null ? "answered" : "failed";
        ends.set(end, (ends.get(end) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 30 }, client));
    assert.equal((ends.get("answered") ?? 0) + (ends.get("failed") ?? 0), asked);
    assert.ok((ends.get("answered") ?? 0) > 500, JSON.stringify([...ends]));
    // What it was still about to do when its requests were given up may meet the first of them.
    await eventually(async () => {
      const after = await Promise.all(Array.from({ length: 50 }, () => ask(pool)));
      assert.deepEqual([...new Set(after.map(({ body, error }) => error ?? body))], ["ok"]);
    });
    await pool.close();
    await eventually(() => assert.equal(server.sessions.size, 0));
  });
});
