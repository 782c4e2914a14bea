import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configSchema } from "../../src/config/schema.ts";
import type { Fault } from "../../src/errors.ts";
import { Acceptor } from "../../src/proxy/acceptor.ts";
import { Http1 } from "../../src/proxy/http1.ts";
import { sendRaw } from "../support/raw.ts";

const config = configSchema.parse({ regions: {}, limits: { headersTimeout: "100ms" } });

describe("of the connections that clients make", () => {
  test("one whose request's head does not arrive in time is told so, and ends", async (t) => {
    const refused: Fault[] = [];
    const handlers = {
      request: () => assert.fail(),
      upgrade: () => assert.fail(),
      headRefused: (fault: Fault) => refused.push(fault),
    };
    const http1 = new Http1(config, handlers);
    const acceptor = new Acceptor((socket) => http1.serve(socket));
    t.after(() => [http1.close(), acceptor.close()]);
    const port = await acceptor.listen("127.0.0.1", 0);
    const answer = await sendRaw(`http://127.0.0.1:${port}`, "GET / HTTP/1.1\r\nhost: a\r\n", {
      forMs: 10_000,
    });
    assert.match(answer.text, /^HTTP\/1\.1 408 .*"fault":"request_timeout"/s);
    assert.equal(answer.closed, "end");
    assert.deepEqual(refused, ["request_timeout"]);
  });
});
