import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { ask, KINDS, type Kind } from "../support/asked.ts";
import { eventually } from "../support/eventually.ts";
import type { Behaviour } from "../support/raw-region.ts";
import { startRawWorld } from "../support/raw-world.ts";

/** What the client of each kind of request sees. */
type Seen = Readonly<Record<Kind, string>>;

/**
 * No answer came: a safe request without a body goes on to the other region. An unsafe one may have been executed, a body
 * cannot be sent again, and an upgrade has been handed over.
 */
function elsewhere(fault: string, status = 502): Seen {
  const told = `${status} ${fault}`;
  return { GET: "200 other", HEAD: "200 other", "GET with a body": told, POST: told, upgrade: told };
}

function everybody(seen: string, but: Partial<Seen> = {}): Seen {
  return { GET: seen, HEAD: seen, "GET with a body": seen, POST: seen, upgrade: seen, ...but };
}

/** An answer had begun: it ends without its end. An answer to HEAD is its head. */
const CUT = everybody("200 main cut", { HEAD: "200 main" });

/** Writes some bytes, and soon after that ends the connection without another word. */
function saysAnd(how: "closes" | "resets", bytes: string): Behaviour {
  return (socket) => {
    socket.write(bytes, "latin1");
    setTimeout(() => (how === "closes" ? socket.end() : socket.resetAndDestroy()), 100);
  };
}

function says(bytes: string): Behaviour {
  return (socket) => void socket.write(bytes, "latin1");
}

/** Says the same again and again for as long as anybody listens. */
function endlessly(bytes: string, first = ""): Behaviour {
  return (socket) => {
    socket.write(first);
    const timer = setInterval(() => socket.writableNeedDrain || socket.write(bytes.repeat(20)), 1);
    socket.on("close", () => clearInterval(timer));
  };
}

/** One byte after the other, slower than anybody waits for all of them. */
const dripsItsHead: Behaviour = (socket: Socket) => {
  const head = `HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-long: ${"x".repeat(200)}\r\n\r\nok`;
  let next = 0;
  const timer = setInterval(() => socket.write(head[next++] ?? ""), 20);
  socket.on("close", () => clearInterval(timer));
};

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;

interface Row {
  readonly does: Behaviour;
  readonly seen: Seen;
  /** The fault for which five such answers in a row take it out of service; left out: none does. */
  readonly ejects?: string;
}

const ROWS: Readonly<Record<string, Row>> = {
  "resets the connection instead of an answer": {
    does: (socket) => void socket.resetAndDestroy(),
    seen: elsewhere("reset"),
    ejects: "reset",
  },
  "closes the connection instead of an answer": {
    does: (socket) => void socket.end(),
    seen: elsewhere("reset"),
    ejects: "reset",
  },
  "resets inside the head": {
    does: saysAnd("resets", `${OK}content-le`),
    seen: elsewhere("reset"),
    ejects: "reset",
  },
  "closes inside the head": {
    does: saysAnd("closes", `${OK}content-le`),
    seen: elsewhere("reset"),
    ejects: "reset",
  },
  "resets inside the body": { does: saysAnd("resets", `${OK}content-length: 9\r\n\r\nhalf`), seen: CUT },
  "says less than it announced": { does: saysAnd("closes", `${OK}content-length: 9\r\n\r\nhalf`), seen: CUT },
  "resets inside a chunk": { does: saysAnd("resets", `${CHUNKED}9\r\nhalf`), seen: CUT },
  "closes before the last chunk": { does: saysAnd("closes", `${CHUNKED}4\r\nhalf\r\n`), seen: CUT },
  "resets a body that only a close would end": {
    does: saysAnd("resets", `${OK}\r\nhalf`),
    seen: { ...CUT, upgrade: "200 main" },
  },
  "closes a body that only a close ends": {
    does: saysAnd("closes", `${OK}\r\nall`),
    seen: everybody("200 main"),
  },
  "says more than it announced": {
    does: says(`${OK}content-length: 2\r\n\r\nok${OK}content-length: 5\r\n\r\nwrong`),
    seen: everybody("200 main"),
  },
  "speaks another protocol": {
    does: saysAnd("closes", "SSH-2.0-OpenSSH_9.2\r\n"),
    seen: elsewhere("bad_response"),
    ejects: "bad_response",
  },
  "speaks TLS": {
    does: saysAnd("closes", "\x15\x03\x03\x00\x02\x02\x28"),
    seen: elsewhere("bad_response"),
    ejects: "bad_response",
  },
  "announces two lengths": {
    does: says(`${OK}content-length: 2\r\ncontent-length: 3\r\n\r\nok`),
    seen: elsewhere("bad_response"),
    ejects: "bad_response",
  },
  "announces a length and chunks": {
    does: says(`${OK}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`),
    seen: elsewhere("bad_response"),
    ejects: "bad_response",
  },
  "ends its lines with line feeds": {
    does: says("HTTP/1.1 200 OK\ncontent-length: 2\n\nok"),
    seen: elsewhere("bad_response"),
    ejects: "bad_response",
  },
  "sends a chunk that is none": { does: says(`${CHUNKED}4\r\nhalf\r\nxyz\r\n`), seen: CUT },
  "sends trailers without end": {
    does: endlessly("x-trailer: 1\r\n", `${CHUNKED}4\r\nhalf\r\n0\r\n`),
    seen: CUT,
  },
  "sends a head without end": {
    does: endlessly("x-header: 1\r\n", OK),
    seen: elsewhere("bad_response"),
    ejects: "bad_response",
  },
  "sends a header without end": {
    does: endlessly("xxxxxxxxxxxxx", `${OK}x-header: `),
    seen: elsewhere("bad_response"),
    ejects: "bad_response",
  },
  "sends empty lines without end": {
    does: endlessly("\r\n"),
    seen: elsewhere("response_timeout", 504),
    ejects: "response_timeout",
  },
  "says nothing": { does: () => {}, seen: elsewhere("response_timeout", 504), ejects: "response_timeout" },
  "says its head too slowly": {
    does: dripsItsHead,
    seen: elsewhere("response_timeout", 504),
    ejects: "response_timeout",
  },
  "sends early hints without end": {
    does: endlessly("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
    seen: { ...elsewhere("bad_response"), upgrade: "504 response_timeout" },
    ejects: "response_timeout",
  },
  "says that it goes on processing, without end": {
    does: endlessly("HTTP/1.1 102 Processing\r\n\r\n"),
    seen: { ...elsewhere("bad_response"), upgrade: "504 response_timeout" },
    ejects: "response_timeout",
  },
};

describe("a region that", { concurrency: 6 }, () => {
  for (const [what, { does, seen, ejects }] of Object.entries(ROWS)) {
    test(what, async (t) => {
      const { edge, main, other, records, ejected } = await startRawWorld(t, does);
      const kinds = Object.keys(KINDS) as Kind[];
      const asked = await Promise.all(kinds.map((kind) => ask(edge.httpUrl, kind)));
      assert.deepEqual(Object.fromEntries(kinds.map((kind, i) => [kind, asked[i]?.saw])), seen);
      for (const [i, kind] of kinds.entries()) {
        const { id = "", saw = "" } = asked[i] ?? {};
        assert.equal(main.executed(id), 1, `${kind} in the failing region`);
        assert.equal(other.executed(id), saw.endsWith("other") ? 1 : 0, `${kind} in the other one`);
      }
      await eventually(() => records.length === kinds.length);
      assert.deepEqual(ejected, ejects === undefined ? [] : [ejects]);
    });
  }
});
