import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { type TestContext, test } from "node:test";
import { type Dispatcher, request } from "undici";
import type { Edge } from "../../src/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startScripted } from "../support/scripted.ts";

const ALICE = { authorization: "Bearer alice" };

/** Regions that answer with the status and the headers a query asks for, and an edge that asks either for reads. */
async function outspoken(t: TestContext): Promise<Edge> {
  const region: RequestListener = (req, res) => {
    const { searchParams } = new URL(req.url ?? "/", "http://region");
    for (const [name, value] of searchParams) {
      if (name === "status") res.statusCode = Number(value);
      else res.setHeader(name, value);
    }
    res.end();
  };
  const paths = [
    { path: "/search", methods: ["POST"], as: "read" },
    { path: "/unsubscribe", as: "write" },
  ];
  const started = await startScripted(
    { writer: region, near: region },
    {
      routing: { policy: "weighted", paths },
      consistency: { graceWindow: "1s", noWriteStatus: "400-428, 430-499" },
    },
  );
  t.after(() => started.stop());
  return started.edge;
}

async function ask(edge: Edge, method: Dispatcher.HttpMethod, path: string) {
  const { headers, body } = await request(`${edge.httpUrl}${path}`, { method, headers: ALICE });
  await body.dump();
  return { reason: headers["x-meridian-reason"], token: headers["x-meridian-token"] !== undefined };
}

/** How Alice is routed when she asks, and whether she was given a token; then how she is routed when she reads. */
const rows: readonly (readonly [
  name: string,
  method: Dispatcher.HttpMethod,
  path: string,
  reason: string,
  pinned: boolean,
])[] = [
  ["a write that the application refused pins nobody", "POST", "/?status=404", "write", false],
  ["a write refused with another status pins", "POST", "/?status=429", "write", true],
  ["a write that redirects pins", "POST", "/?status=303", "write", true],
  ["a region's word beats its status", "POST", "/?status=404&x-meridian-wrote=1", "write", true],
  ["a status beats no region's word", "POST", "/?status=200&x-meridian-wrote=0", "write", false],
  [
    "a word that is none leaves it to the status",
    "POST",
    "/?status=404&x-meridian-wrote=yes",
    "write",
    false,
  ],
  [
    "a read that was refused and wrote all the same pins",
    "GET",
    "/?status=404&x-meridian-wrote=1",
    "weight",
    true,
  ],
  ["a read that was refused pins nobody", "GET", "/?status=404", "weight", false],
  ["a GET that writes by a path rule goes to the writer and pins", "GET", "/unsubscribe", "write", true],
  [
    "a GET that writes by a path rule and is refused pins nobody",
    "GET",
    "/unsubscribe?status=410",
    "write",
    false,
  ],
  [
    "a GET that writes by a path rule may say it did not",
    "GET",
    "/unsubscribe?x-meridian-wrote=0",
    "write",
    false,
  ],
  ["a POST that reads by a path rule goes anywhere and pins nobody", "POST", "/search", "weight", false],
  ["a POST that reads by a path rule may say it wrote", "POST", "/search?x-meridian-wrote=1", "weight", true],
];

for (const [name, method, path, reason, pinned] of rows) {
  test(name, async (t) => {
    const edge = await outspoken(t);
    assert.deepEqual(await ask(edge, method, path), { reason, token: pinned });
    assert.equal((await ask(edge, "GET", "/")).reason, pinned ? "pin" : "weight");
  });
}

test("a write that did nothing does not end the pin of one that did", async (t) => {
  const edge = await outspoken(t);
  await ask(edge, "POST", "/");
  await ask(edge, "POST", "/?status=404");
  assert.equal((await ask(edge, "GET", "/")).reason, "pin");
  await eventually(async () => assert.equal((await ask(edge, "GET", "/")).reason, "weight"));
});
