import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, type Kind } from "../support/asked.ts";
import { eventually } from "../support/eventually.ts";
import type { Behaviour } from "../support/raw-region.ts";
import { startRawWorld } from "../support/raw-world.ts";

const LENGTH = 400;
const AT_A_TIME = 16;

/** An answer of exactly 400 bytes: a head, filled up, and a body. */
function answer(line: string, fields: string, body: string): string {
  const bare = `${line}\r\n${fields}x-filler: \r\n\r\n${body}`;
  return bare.replace("x-filler: ", `x-filler: ${"x".repeat(LENGTH - bare.length)}`);
}

const OK = "HTTP/1.1 200 OK";
const BODY = "b".repeat(150);
const SIZED = answer(OK, `content-length: ${BODY.length}\r\n`, BODY);
const CHUNKED = answer(
  OK,
  "transfer-encoding: chunked\r\n",
  `64\r\n${"b".repeat(100)}\r\n32\r\n${"b".repeat(50)}\r\n0\r\n\r\n`,
);
const CLOSED = answer(OK, "", BODY);
const UPGRADED = answer(
  "HTTP/1.1 101 Switching Protocols",
  "connection: upgrade\r\nupgrade: websocket\r\n",
  "",
);

/** Says the first bytes of an answer, as many as the request's path says, and ends the connection. */
function breaks(bytes: string, ending: "closes" | "resets"): Behaviour {
  return (socket, { url }) => {
    socket.write(bytes.slice(0, Number(url.slice(1))), "latin1");
    if (ending === "closes") socket.end();
    else setImmediate(() => socket.resetAndDestroy());
  };
}

interface Row {
  readonly what: string;
  readonly kind: Kind;
  readonly bytes: string;
  readonly ending: "closes" | "resets";
  /** From how many bytes on the answer is whole. */
  readonly wholeFrom: number;
}

const headOf = (bytes: string): number => bytes.indexOf("\r\n\r\n") + 4;

const ROWS: readonly Row[] = [
  { what: "a body of a known length", kind: "GET", bytes: SIZED, ending: "resets", wholeFrom: LENGTH },
  { what: "a write's answer", kind: "POST", bytes: SIZED, ending: "resets", wholeFrom: LENGTH },
  { what: "an upgrade's answer", kind: "upgrade", bytes: UPGRADED, ending: "resets", wholeFrom: LENGTH },
  { what: "a known length", kind: "GET", bytes: SIZED, ending: "closes", wholeFrom: LENGTH },
  { what: "chunks", kind: "GET", bytes: CHUNKED, ending: "resets", wholeFrom: LENGTH },
  { what: "what a close would end", kind: "GET", bytes: CLOSED, ending: "resets", wholeFrom: LENGTH + 1 },
  { what: "what a close ends", kind: "GET", bytes: CLOSED, ending: "closes", wholeFrom: headOf(CLOSED) },
  { what: "an upgrade's answer", kind: "upgrade", bytes: UPGRADED, ending: "closes", wholeFrom: LENGTH },
];

/** After every byte of the first three; of the others, whose heads are much the same, after some, and where it matters all. */
function offsetsOf(row: Row): readonly number[] {
  const all = Array.from({ length: LENGTH + 1 }, (_, offset) => offset);
  const edges = [headOf(row.bytes), LENGTH];
  const matters = (offset: number) => offset % 5 === 0 || edges.some((edge) => Math.abs(edge - offset) < 8);
  return ROWS.indexOf(row) < 3 ? all : all.filter(matters);
}

for (const row of ROWS) {
  const { what, kind, bytes, ending, wholeFrom } = row;
  test(`a region that ${ending} at any byte of ${what} is never taken to have said it all`, async (t) => {
    assert.equal(bytes.length, LENGTH);
    const { edge, main, records } = await startRawWorld(t, breaks(bytes, ending), { alone: true });
    const offsets = offsetsOf(row);
    const next = offsets.values();
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    await eventually(() => records.length === offsets.length);
    assert.ok(edge.table.status().every(({ requestsInFlight }) => requestsInFlight === 0));

    async function work(): Promise<void> {
      for (const offset of next) {
        const { id, saw } = await ask(edge.httpUrl, kind, `/${offset}`);
        const whole = kind === "upgrade" ? "101 main" : "200 main";
        if (offset >= wholeFrom) assert.equal(saw, whole, `${offset} bytes`);
        else assert.match(saw, /^(502 (reset|bad_response)|200 main cut|nothing)$/, `${offset} bytes`);
        const executed = main.executed(id);
        assert.ok(
          executed === 1 || (kind === "GET" && executed === 2),
          `${executed} times after ${offset} bytes`,
        );
      }
    }
  });
}
