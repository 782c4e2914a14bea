import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { type DemoView, plainLine, type RegionRow, renderTable } from "../../src/demo/table.ts";

const row = (id: string, change: Partial<RegionRow> = {}): RegionRow => ({
  id,
  role: "replica",
  health: "up",
  admission: "open",
  latencyMs: 15.4,
  lagMs: 600,
  requestsInFlight: 1,
  requestsPerSecond: 12.34,
  share: 0.5,
  ...change,
});

const view = (change: Partial<DemoView> = {}): DemoView => ({
  edgeUrl: "http://127.0.0.1:8080",
  adminUrl: "http://127.0.0.1:9090",
  controlUrl: "http://127.0.0.1:9999",
  pinStore: "this process",
  uptimeSeconds: 65,
  regions: [row("us-east", { role: "writer", lagMs: null }), row("eu-west")],
  nearest: "eu-west",
  picked: "us-east",
  pinsActive: 3,
  reads: 100,
  writes: 20,
  staleReads: 0,
  errors: new Map(),
  reasons: new Map([
    ["pin", 20],
    ["latency", 80],
  ]),
  events: [],
  ...change,
});

const render = (change: Partial<DemoView> = {}, rows = 40) =>
  renderTable(view(change), { rows, colour: false }).join("\n");

test("the table shows health, admission, latency, lag, rate and share of every region", () => {
  assert.match(render(), /2 eu-west +replica +up +open +15 ms +600 ms +1 +12\.3 +50 % ██████████ +nearest/);
  assert.match(render(), /▸ us-east +writer +up +open +15 ms +- +1 /);
});

test("stale reads are always on the screen, and so is what served", () => {
  assert.match(render(), /stale reads seen: 0/);
  assert.match(render({ staleReads: 7 }), /stale reads seen: 7/);
  assert.match(render(), /served by latency 80 +pin 20/);
});

test("errors are counted by kind", () => {
  const errors = new Map([["PUT writer_down", 4]]);
  assert.match(render({ errors }), /errors 4 /);
  assert.match(render({ errors }), /errors: PUT writer_down 4/);
});

test("a small terminal loses events first, and gets no more lines than it has", () => {
  const events = ["first", "second", "third"];
  assert.match(render({ events }), /first\n second\n third/);
  const needed = render().split("\n").length;
  const tight = renderTable(view({ events }), { rows: needed + 2, colour: false });
  assert.equal(tight.at(-1), " third");
  assert.equal(renderTable(view({ events }), { rows: 10, colour: false }).length, 10);
});

test("without colour there are no escape sequences, with it the text is the same", () => {
  const coloured = renderTable(view(), { rows: 40, colour: true }).join("\n");
  assert.equal(stripVTControlCharacters(render()), render());
  assert.notEqual(coloured, render());
  assert.equal(stripVTControlCharacters(coloured), render());
});

test("the curl commands name the region that is picked", () => {
  assert.match(render({ picked: "eu-west" }), /\/v1\/regions\/eu-west\/drain/);
  assert.match(render({ picked: "eu-west" }), /-X POST http:\/\/127\.0\.0\.1:9999\/eu-west\/kill/);
});

test("the plain line says the same in one line", () => {
  const line = plainLine(view());
  assert.doesNotMatch(line, /\n/);
  assert.match(line, /eu-west up\/open 15 ms lag 600 ms 50 %/);
  assert.match(line, /100 reads, 20 writes, 0 errors \| pins active 3 \| stale reads seen: 0/);
});
