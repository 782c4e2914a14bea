import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventStream, isEventStream } from "../../src/proxy/event-stream.ts";
import { eventually } from "../support/eventually.ts";

describe("what is an event stream that may be ended", () => {
  const rows: [string, string, number, Record<string, string>, boolean][] = [
    ["is one", "GET", 200, { "content-type": "text/event-stream" }, true],
    ["is one with a charset", "GET", 200, { "content-type": "Text/Event-Stream; charset=utf-8" }, true],
    ["is not the answer to a POST", "POST", 200, { "content-type": "text/event-stream" }, false],
    ["is not an error", "GET", 500, { "content-type": "text/event-stream" }, false],
    ["is not another type", "GET", 200, { "content-type": "text/event-streams" }, false],
    ["is not without a type", "GET", 200, {}, false],
    [
      "is not what says how long it is",
      "GET",
      200,
      { "content-type": "text/event-stream", "content-length": "9" },
      false,
    ],
  ];
  for (const [name, method, status, headers, expected] of rows) {
    it(name, () => assert.equal(isEventStream(method, status, headers), expected));
  }
});

describe("an event stream that has to end", () => {
  const rows: [string, readonly string[], readonly string[], string][] = [
    ["ends at once before its first byte", [], [], ""],
    ["ends at once after an event", ["data: 1\n\n"], [], ""],
    ["ends at once after an event of old line ends", ["data: 1\r\n\r\n"], [], ""],
    ["ends at once after an event of oldest line ends", ["data: 1\r\r"], [], ""],
    ["ends at once after an event that came byte by byte", [..."data: 1\r\n\r\n"], [], ""],
    ["lets an event end that has begun", ["data: 1\n\ndata:"], [" 2\n\n"], " 2\n\n"],
    ["lets nothing pass of the next", ["data: 1\n\ndata:"], [" 2\n\ndata: 3\n\nda"], " 2\n\n"],
    ["lets an event end in pieces", ["da"], ["ta: 2", "\n", "\nmore"], "ta: 2\n\n"],
    ["does not take the end of a line for one", ["data: 1\r\n"], ["\r\nmore"], "\r\n"],
    ["does not take half a blank line for one", ["data: 1\n"], ["\nmore"], "\n"],
    ["does not take a blank line of before for one", ["a\n\nb"], ["c\n\nd"], "c\n\n"],
  ];
  for (const [name, before, after, expected] of rows) {
    it(name, () => {
      let ended = 0;
      const stream = new EventStream(() => {
        ended += 1;
      });
      for (const text of before) assert.equal(String(stream.take(Buffer.from(text))), text);
      stream.close();
      assert.equal(ended, after.length === 0 ? 1 : 0);
      let passed = "";
      for (const text of after) if (!stream.isDone) passed += stream.take(Buffer.from(text));
      assert.equal(passed, expected);
      assert.equal(stream.isDone, true);
      stream.over();
    });
  }

  it("does not wait for ever for an event's end", async () => {
    let ended = 0;
    const stream = new EventStream(() => {
      ended += 1;
    });
    stream.take(Buffer.from("data: 1"));
    stream.close();
    assert.equal(stream.isDone, false);
    const alive = setInterval(() => {}, 1_000);
    try {
      await eventually(() => ended === 1);
    } finally {
      clearInterval(alive);
    }
  });
});
