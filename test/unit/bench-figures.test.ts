import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkRate, checkRound, pinnedShare } from "../../bench/checks.ts";
import { merged } from "../../bench/document.ts";
import { parseH2load } from "../../bench/h2load.ts";
import { countedOf } from "../../bench/load-order.ts";
import { parseOptions } from "../../bench/options.ts";
import { parseStat } from "../../bench/process.ts";
import { comparisons, forTerminal, type Result, resultOf, tablesOf } from "../../bench/report.ts";
import { complete } from "../../bench/response-end.ts";
import { type Entrant, orderOf, type Round } from "../../bench/rounds.ts";
import { filled } from "../../bench/stage.ts";
import { percentile, ratios, spreadOf } from "../../bench/statistics.ts";
import { SUBJECTS } from "../../bench/subjects.ts";
import { parseCounted } from "../../bench/wrk.ts";

describe("the figures of the bench", () => {
  it("have a median and a range, of an even number of rounds too", () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, least: 1, most: 3 });
    assert.equal(spreadOf([4, 1, 2, 3]).median, 2.5);
    assert.ok(Number.isNaN(spreadOf([]).median));
  });

  it("are compared within a round, and not at all in one that is void", () => {
    assert.deepEqual(ratios([10, null, 30, 5], [5, 7, null, 10]), [2, 0.5]);
  });

  it("have percentiles by the nearest rank", () => {
    const sorted = Array.from({ length: 100 }, (_each, nth) => nth + 1);
    assert.deepEqual(
      [0.5, 0.99, 0.999, 1].map((share) => percentile(sorted, share)),
      [50, 99, 100, 100],
    );
  });

  it("come from wrk, in microseconds, with everything that failed", () => {
    const line =
      '{"requests":900,"durationUs":2000000,"bytes":70,"p50Us":1000,"p99Us":2500,"p999Us":3500,"maxUs":9000,' +
      '"connect":1,"read":2,"write":4,"status":8,"timeout":16}';
    assert.deepEqual(parseCounted(`Running 2s test\nCOUNTED ${line}\n`), {
      ...{ requests: 900, seconds: 2, bytes: 70, failed: 31 },
      ...{ p50Ms: 1, p99Ms: 2.5, p999Ms: 3.5, maxMs: 9 },
    });
    assert.throws(() => parseCounted("unable to connect"), /counted nothing/);
  });

  it("come from our own client in the same line", () => {
    const latenciesMs = Array.from({ length: 2_000 }, (_each, nth) => 2_000 - nth);
    assert.deepEqual(parseCounted(`COUNTED ${JSON.stringify(countedOf(latenciesMs, 2, 5))}`), {
      ...{ requests: 2_000, seconds: 2, bytes: 0, failed: 5 },
      ...{ p50Ms: 1_000, p99Ms: 1_980, p999Ms: 1_998, maxMs: 2_000 },
    });
  });

  it("come from h2load", () => {
    const output =
      "requests: 10 total, 9 started, 9 done, 7 succeeded, 2 failed, 1 errored, 3 timeout\ntraffic: 1.2KB (1234) total, 1KB\n";
    assert.deepEqual(parseH2load(output), { requests: 7, bytes: 1234, failed: 6 });
  });

  it("come from /proc, whatever the process calls itself", () => {
    const fields = parseStat("42 (a) b (c)) S 7 1 1 0 -1 0 0 0 0 0 150 25 0 0");
    assert.deepEqual([fields[1], fields[11], fields[12]], [7, 150, 25]);
  });
});

describe("a round of the bench", () => {
  const strict = SUBJECTS.find(({ name }) => name === "meridian-strict") ?? assert.fail();
  const counted = {
    requests: 40_000,
    seconds: 4,
    bytes: 0,
    p50Ms: 1,
    p99Ms: 1,
    p999Ms: 1,
    maxMs: 1,
    failed: 0,
  };
  const load = { users: 10_000, writePercent: 5 };

  it("is void when an answer failed, none came from a region, or pinned readers did not reach the writer", () => {
    assert.match(
      checkRound(strict, { ...counted, failed: 1 }, { writer: 9_000, replica: 31_000 }, load) ?? "",
      /failed/,
    );
    assert.match(checkRound(strict, counted, { writer: 0, replica: 10 }, load) ?? "", /reached a region/);
    assert.match(
      checkRound(strict, counted, { writer: 2_000, replica: 38_000 }, load) ?? "",
      /writer was sent 5.0 %/,
    );
    assert.equal(checkRound(strict, counted, { writer: 6_000, replica: 34_000 }, load), null);
  });

  it("at a fixed rate is void when it fell behind", () => {
    assert.equal(checkRate(counted, 10_800), null);
    assert.match(checkRate({ ...counted, seconds: 5 }, 10_000) ?? "", /only 8000 of 10000/);
  });

  it("expects more pinned readers the longer it lasts, and never more than there are", () => {
    const shares = [1, 4, 10, 60].map((seconds) => pinnedShare(10_000 * seconds, seconds, load));
    assert.deepEqual(shares, shares.toSorted());
    assert.ok(shares.every((share) => share > 0 && share < 1));
  });

  it("takes the subjects in the opposite order of the one before", () => {
    assert.deepEqual(
      [orderOf(["a", "b"], 0), orderOf(["a", "b"], 1)],
      [
        ["a", "b"],
        ["b", "a"],
      ],
    );
  });

  it("knows when an answer has arrived whole", () => {
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
    assert.deepEqual([head.slice(0, 20), `${head}ab`, `${head}abc`].map(complete), [null, null, 200]);
    const chunked = "HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";
    assert.deepEqual([complete(chunked), complete(`${chunked}0\r\n\r\n`)], [null, 502]);
  });
});

describe("a report of the bench", () => {
  const figures = (requestsPerSecond: number, p99Ms: number): Round => ({
    ...{ requestsPerSecond, p99Ms, processorUs: 1e6 / requestsPerSecond, busy: 1, p50Ms: 1, p999Ms: 9 },
    ...{ memoryMiB: 50, writerShare: 0.25, redisUs: 3 },
  });
  const result = (name: string, job: string, ...rounds: (Round | null)[]): Result =>
    resultOf({ subject: { name, job }, rounds } as unknown as Entrant);
  const ours = result("ours", "forward", figures(1_000, 4), figures(500, 30), figures(2_000, 6));
  const theirs = result("theirs", "forward", figures(2_000, 2), null, figures(8_000, 1));

  it("compares what was done in the same round: neither with a round that is void, nor the medians", () => {
    const [, ratios] = tablesOf([ours, theirs]);
    assert.deepEqual(ratios?.[1], [
      "ours ÷ theirs",
      "0.38 [0.25, 0.50]",
      "3.00 [2.00, 4.00]",
      "4.00 [2.00, 6.00]",
    ]);
  });

  it("compares the first of a job with all others, and every edge with pins in Redis with the peers that have them there", () => {
    const pinning = (name: string, pinnedBy: string) =>
      resultOf({ subject: { name, job: "pins", pinnedBy }, rounds: [figures(1, 1)] } as unknown as Entrant);
    const all = [
      ...[ours, pinning("meridian-strict", "redis"), pinning("meridian-bounded", "redis")],
      ...[pinning("meridian-cookie", "cookie"), pinning("lua", "redis"), pinning("stick", "process"), theirs],
    ];
    assert.deepEqual(
      comparisons(all).map((each) => `${each.ours} ${each.theirs}`),
      [
        ...["ours theirs", "meridian-strict meridian-bounded", "meridian-strict meridian-cookie"],
        ...["meridian-strict lua", "meridian-strict stick", "meridian-bounded lua"],
      ],
    );
  });

  it("shows medians, a range where it matters, and void for what has no round that counts", () => {
    const [table] = tablesOf([ours, result("idle", "forward", null)]);
    const [, first, second] = table ?? [];
    assert.deepEqual(first?.slice(0, 6), [
      ...["ours", "1000 [500, 2000]", "1000.0 [500.0, 2000.0]", "1.00", "1.00", "6.00"],
    ]);
    assert.deepEqual(second?.slice(0, 4), ["idle", "void", "void", "void"]);
  });

  it("says of what keeps pins alone how much went to the writer and what Redis did", () => {
    const [table] = tablesOf([ours, result("pinning", "pins", figures(1_000, 4))]);
    assert.deepEqual(
      table?.map((row) => row.slice(-2)),
      [
        ["at writer", "Redis µs/req"],
        ["", ""],
        ["0.25", "3.0"],
      ],
    );
  });

  it("aligns names to the left and figures to the right", () => {
    const table = [
      ["a", "bcd"],
      ["efg", "1"],
    ];
    assert.equal(forTerminal(table), "a    bcd\nefg    1\n");
  });
});

describe("what the bench is told and writes", () => {
  it("is shorter when it is to be quick, and refuses what is no number", () => {
    const [usual, quick] = [parseOptions([]), parseOptions(["--quick"])];
    assert.ok((quick?.rounds ?? 9) < (usual?.rounds ?? 0));
    assert.throws(() => parseOptions(["--rounds", "many"]), /--rounds/);
    assert.throws(() => parseOptions(["grwth"]), /grwth/);
    assert.equal(parseOptions(["--help"]), null);
  });

  it("fills in configurations, and misses no word", () => {
    assert.equal(filled("listen {{port}};", { port: 1 }), "listen 1;");
    assert.throws(() => filled("{{prot}}", { port: 1 }), /prot/);
  });

  const section = (title: string, value: string) => ({
    title,
    how: "Today.",
    tables: [
      [
        ["a", "b"],
        ["1", value],
      ],
    ],
  });
  const TITLES = ["First", "Second", "Third"];

  it("replaces the sections that it has measured, between the marks of a document, and keeps every other", () => {
    const [begin, end] = ["<!-- measured: written by bench/main.ts -->", "<!-- measured: end -->"];
    const document = (parts: string) => `## before\n${begin}\n\n${parts}\n\n${end}\n\n## after\n`;
    const third = "### Third\n\nSome time ago.\n\n| kept |";
    const before = document(`An old machine.\n\n### Second\n\nold\n\n${third}`);
    const after = merged(before, "A machine.", [section("Second", "2"), section("First", "1")], TITLES);
    const table = (title: string, value: string) =>
      `### ${title}\n\nToday.\n\n| a | b |\n|---|---:|\n| 1 | ${value} |`;
    const wanted = ["A machine.", table("First", "1"), table("Second", "2"), third].join("\n\n");
    assert.equal(after, document(wanted));
    const again = [section("First", "1"), section("Second", "2")];
    assert.equal(merged(after, "A machine.", again, TITLES), after);
  });

  it("brings pieces together in a file without marks, too, with what is of no known title last", () => {
    const first = merged("", "A machine.", [section("Strange", "0"), section("Second", "2")], TITLES);
    const both = merged(first, "A machine.", [section("First", "1")], TITLES);
    const titles = [...both.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
    assert.deepEqual(titles, ["First", "Second", "Strange"]);
  });
});
