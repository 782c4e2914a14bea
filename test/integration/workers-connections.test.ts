import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get, type IncomingMessage, type RequestListener } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Authority, withoutOpenssl } from "../support/certificates.ts";
import type { EdgeProcess } from "../support/edge-process.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { proxyV2 } from "../support/proxy-header.ts";
import { sendRaw } from "../support/raw.ts";
import { ScriptedRegion } from "../support/scripted.ts";
import { call, childrenOf, logLines, metric, startWorkers, workerOf } from "../support/worker-edge.ts";

const GET = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
/** So many that each worker gets some, however they are dealt. */
const MANY = 48;
const SOME = 12;

const echo: RequestListener = (req, res) => res.end(JSON.stringify(req.headers));

/** Events without end, each written in two halves. */
const events: RequestListener = (req, res) => {
  if (req.url !== "/events") return void res.end();
  res.writeHead(200, { "content-type": "text/event-stream" });
  const writing = setInterval(() => {
    res.write("da");
    setTimeout(() => res.writable && res.write("ta: 1\n\n"), 20);
  }, 60);
  res.once("close", () => clearInterval(writing));
};

async function region(t: TestContext, handler: RequestListener) {
  const started = await new ScriptedRegion(handler).start();
  t.after(() => started.stop());
  return started;
}

async function certificates(t: TestContext) {
  const [authority, port] = await Promise.all([Authority.create(), freePort()]);
  t.after(() => authority.remove());
  const issued = await authority.issue();
  const { certFile, keyFile } = issued;
  return { authority, issued, port, https: { host: "127.0.0.1", port, certFile, keyFile } };
}

const headerOf = (name: string, text: string) => new RegExp(`^${name}: (\\S+)`, "im").exec(text)?.[1];
const forwardedFor = (text: string) => /"x-forwarded-for":"([^"]*)"/.exec(text)?.[1];

/** Which workers have answered these. */
async function workersOfAll(edge: EdgeProcess, requestIds: readonly unknown[]): Promise<readonly number[]> {
  const workers = await Promise.all(requestIds.map((id) => workerOf(edge, id)));
  return [...new Set(workers)].toSorted();
}

/** One stream of a client, over which connection's worker it comes, and how it came to its end. */
interface Stream {
  readonly worker: number;
  text: string;
  end: "clean" | "cut" | null;
}

async function listen(edge: EdgeProcess): Promise<Stream> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path: string) => {
    const [answer] = await once(get(`${edge.httpUrl}${path}`, { agent }), "response");
    return answer as IncomingMessage;
  };
  const first = await ask("/");
  await once(first.resume(), "end");
  const answer = await ask("/events");
  const stream: Stream = { worker: await workerOf(edge, first.headers["x-request-id"]), text: "", end: null };
  answer.setEncoding("utf8").on("data", (text: string) => {
    stream.text += text;
  });
  answer.on("end", () => (stream.end = "clean")).on("error", () => (stream.end = "cut"));
  await eventually(() => stream.text !== "");
  return stream;
}

/** Some by each of two workers. */
async function listenToBoth(edge: EdgeProcess): Promise<readonly Stream[]> {
  const streams: Stream[] = [];
  while (new Set(streams.map(({ worker }) => worker)).size < 2 && streams.length < MANY)
    streams.push(...(await Promise.all(Array.from({ length: SOME }, () => listen(edge)))));
  assert.ok(new Set(streams.map(({ worker }) => worker)).size === 2, `${streams.length} by one worker`);
  return streams;
}

function assertWhole(streams: readonly Stream[]): void {
  assert.deepEqual([...new Set(streams.map(({ end }) => end))], ["clean"]);
  assert.equal(streams.filter(({ text }) => !text.endsWith("\n\n")).length, 0, "each ends after an event");
}

/** The names of the certificate that a new connection is shown, and the number of the worker that shows it. */
async function shown(edge: EdgeProcess, port: number, ca: string, session?: Buffer) {
  const socket = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca, session });
  let resumable: Buffer | undefined;
  socket.on("session", (ticket: Buffer) => {
    resumable = ticket;
  });
  await once(socket, "secureConnect");
  const [names, resumed] = [socket.getPeerCertificate().subjectaltname ?? "", socket.isSessionReused()];
  const text = await answerOver(socket);
  const worker = await workerOf(edge, headerOf("x-request-id", text));
  return { names, resumed, resumable, worker };
}

async function answerOver(socket: TLSSocket): Promise<string> {
  socket.write(GET);
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

describe("each of two workers", { concurrency: true }, () => {
  test("reads the PROXY protocol, before TLS too, and turns away what has none", {
    skip: withoutOpenssl,
  }, async (t) => {
    const { authority, port, https } = await certificates(t);
    const us = await region(t, echo);
    const { edge } = await startWorkers(t, {
      regions: { us: { role: "writer", endpoints: [us.url] } },
      listen: {
        http: { host: "127.0.0.1", port: 0 },
        https,
        trustedProxies: ["127.0.0.1"],
        proxyProtocol: true,
      },
    });
    const headers = Array.from({ length: MANY }, (_, n) => [
      `192.0.2.${n}`,
      n % 2 === 0 ? `PROXY TCP4 192.0.2.${n} 198.51.100.1 5 6\r\n` : proxyV2({ source: `192.0.2.${n}` }),
    ]) as readonly (readonly [string, string | Buffer])[];
    const inClear = await Promise.all(
      headers.map(([, header]) =>
        sendRaw(edge.httpUrl, Buffer.concat([Buffer.from(header as string, "latin1"), Buffer.from(GET)])),
      ),
    );
    const secure = await Promise.all(
      headers.map(async ([, header]) => {
        const under = connect(port, "127.0.0.1");
        await once(under, "connect");
        under.write(header);
        const socket = connectTls({ socket: under, ca: authority.cert, servername: "localhost" });
        await once(socket, "secureConnect");
        return answerOver(socket);
      }),
    );
    for (const answers of [inClear.map(({ text }) => text), secure]) {
      assert.deepEqual(
        answers.map(forwardedFor),
        headers.map(([client]) => client),
      );
      const ids = answers.map((text) => headerOf("x-request-id", text));
      assert.deepEqual(await workersOfAll(edge, ids), [1, 2]);
    }
    const without = await Promise.all(headers.map(() => sendRaw(edge.httpUrl, GET)));
    assert.deepEqual([...new Set(without.map(({ text }) => text))], [""]);
    const refused = 'meridian_connections_refused_total{cause="proxy_header"}';
    assert.equal(await metric(edge, refused), MANY);
    assert.equal(await edge.stop(), 0);
  });

  test("ends the event streams of a region whose drain is over, and those that are left when it stops, each after an event", async (t) => {
    const [us, eu] = [await region(t, events), await region(t, events)];
    const { edge } = await startWorkers(t, {
      regions: {
        eu: { role: "replica", endpoints: [eu.url] },
        us: { role: "writer", endpoints: [us.url] },
      },
      shutdown: { grace: "10s" },
    });
    const streams = await listenToBoth(edge);
    const regions = async () => (await call(edge, "GET", "/v1/regions/eu")).json;
    await eventually(async () => assert.equal((await regions()).streams, streams.length));
    assert.equal(await metric(edge, 'meridian_event_streams{region="eu"}'), streams.length);
    const drain = { reason: "a test", deadline: "2s" };
    assert.equal((await call(edge, "POST", "/v1/regions/eu/drain", drain)).status, 200);
    assert.equal((await regions()).admission, "draining");
    assert.ok(
      streams.every(({ end }) => end === null),
      "a drain lets them stay until its deadline",
    );
    const elsewhere = await listenToBoth(edge);
    await eventually(() => streams.every(({ end }) => end !== null), { withinMs: 20_000 });
    assertWhole(streams);
    assert.ok(elsewhere.every(({ end }) => end === null));
    assert.equal((await regions()).admission, "closed");
    assert.equal(await edge.stop(), 0);
    await eventually(() => elsewhere.every(({ end }) => end !== null));
    assertWhole(elsewhere);
  });

  test("shows a renewed certificate, the one that replaces it too, and resumes what the other has begun", {
    skip: withoutOpenssl,
  }, async (t) => {
    const { authority, issued, port, https } = await certificates(t);
    const us = await region(t, echo);
    const { edge } = await startWorkers(t, {
      regions: { us: { role: "writer", endpoints: [us.url] } },
      listen: { http: { host: "127.0.0.1", port: 0 }, https },
    });
    const namesOf = async () => {
      const found = new Map<number, string>();
      for (let tried = 0; found.size < 2 && tried < MANY; tried += 1) {
        const { worker, names } = await shown(edge, port, authority.cert);
        found.set(worker, names);
      }
      return [found.get(1), found.get(2)];
    };
    const standing = connectHttp2(`https://localhost:${port}`, { ca: authority.cert });
    t.after(() => standing.destroy());
    await once(standing, "connect");
    const before = await namesOf();
    assert.equal(before[0], before[1]);

    const renewed = await authority.issue({ names: ["localhost", "renewed.example"] });
    await authority.renew(issued, renewed);
    await eventually(async () => {
      for (const names of await namesOf()) assert.match(names ?? "", /renewed\.example/);
    });
    assert.equal(logLines(edge).filter(({ msg }) => msg === "certificates renewed").length, 1);
    const answer = await once(standing.request({ ":path": "/" }), "response");
    assert.equal((answer[0] as Record<string, unknown>)[":status"], 200, "what stands is kept");

    const [first = 0] = childrenOf(edge.pid);
    process.kill(first, "SIGKILL");
    await eventually(() => logLines(edge).filter(({ msg }) => msg === "worker started").length === 3, {
      withinMs: 15_000,
    });
    for (const names of await namesOf()) assert.match(names ?? "", /renewed\.example/);

    const begun = await shown(edge, port, authority.cert);
    await eventually(async () => {
      const { resumed, worker } = await shown(edge, port, authority.cert, begun.resumable);
      assert.ok(resumed);
      assert.notEqual(worker, begun.worker);
    });

    // The key of another pair: what is shown stays, in both, and somebody is told.
    const other = await authority.issue({ names: ["other.example"] });
    await authority.renew(issued, { ...renewed, key: other.key });
    await eventually(() => logLines(edge).some(({ what }) => what === "certificate not renewed"), {
      withinMs: 15_000,
    });
    for (const names of await namesOf()) assert.match(names ?? "", /renewed\.example/);
    assert.equal(await metric(edge, "meridian_workers"), 2);
  });
});
