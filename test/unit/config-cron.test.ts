import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { createTask } from "node-cron";
import { cronFault, nextStart, readCron } from "../../src/config/cron.ts";

/** The next starts after an instant, as instants. */
function starts(expression: string, timezone: string, from: string, count: number): readonly string[] {
  const cron = readCron(expression, timezone);
  const found: string[] = [];
  let afterMs: number | null = Date.parse(from);
  while (found.length < count) {
    afterMs = nextStart(cron, afterMs);
    if (afterMs === null) break;
    found.push(new Date(afterMs).toISOString().replace(".000Z", "Z"));
  }
  return found;
}

describe("the next starts of a cron expression", () => {
  const rows: [string, string, string, string, string[]][] = [
    [
      "come weekly",
      "0 2 * * 0",
      "UTC",
      "2027-01-01T00:00:00Z",
      ["2027-01-03T02:00:00Z", "2027-01-10T02:00:00Z"],
    ],
    ["do not count the instant itself", "0 2 * * *", "UTC", "2027-01-01T02:00:00Z", ["2027-01-02T02:00:00Z"]],
    ["count the next second", "0 2 * * *", "UTC", "2027-01-01T01:59:59.999Z", ["2027-01-01T02:00:00Z"]],
    [
      "are of a second, when it has six fields",
      "*/20 0 0 1 1 *",
      "UTC",
      "2026-12-31T23:59:59Z",
      ["2027-01-01T00:00:00Z", "2027-01-01T00:00:20Z", "2027-01-01T00:00:40Z", "2028-01-01T00:00:00Z"],
    ],
    [
      "are on the last day and the second monday",
      "0 1 L * *",
      "UTC",
      "2028-02-01T00:00:00Z",
      ["2028-02-29T01:00:00Z", "2028-03-31T01:00:00Z"],
    ],
    [
      "skip a night that does not have the time (clocks set forward)",
      "30 2 * * *",
      "Europe/Berlin",
      "2027-03-26T12:00:00Z",
      ["2027-03-27T01:30:00Z", "2027-03-29T00:30:00Z"],
    ],
    [
      "count what is left of such a night",
      "30 2,4 * * *",
      "Europe/Berlin",
      "2027-03-27T12:00:00Z",
      ["2027-03-28T02:30:00Z", "2027-03-29T00:30:00Z"],
    ],
    [
      "do not count a time of the hour that is gone once more",
      "10,40 2 * * *",
      "Europe/Berlin",
      "2027-10-31T01:20:00Z",
      ["2027-11-01T01:10:00Z"],
    ],
    [
      "are those of the day that midnight brings back",
      "30 23 * * *",
      "America/Havana",
      "2027-11-06T12:00:00Z",
      ["2027-11-07T03:30:00Z", "2027-11-08T04:30:00Z"],
    ],
    [
      "count a time that comes twice once, the first (clocks set back)",
      "30 2 * * *",
      "Europe/Berlin",
      "2027-10-29T12:00:00Z",
      ["2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"],
    ],
    [
      "come once too when asked between the two",
      "30 2 * * *",
      "Europe/Berlin",
      "2027-10-31T00:45:00Z",
      ["2027-11-01T01:30:00Z"],
    ],
    [
      "follow the clock, not the hours passed, over both changes",
      "0 12 27-31 3,10 0",
      "Europe/Berlin",
      "2027-01-01T00:00:00Z",
      ["2027-03-28T10:00:00Z", "2027-10-31T11:00:00Z"],
    ],
    [
      "count the first of two in America as well",
      "30 1 * * *",
      "America/New_York",
      "2027-11-06T12:00:00Z",
      ["2027-11-07T05:30:00Z", "2027-11-08T06:30:00Z"],
    ],
    [
      "find a leap day that is a Monday",
      "0 0 29 2 1",
      "UTC",
      "2027-01-01T00:00:00Z",
      ["2044-02-29T00:00:00Z", "2072-02-29T00:00:00Z"],
    ],
  ];
  for (const [name, expression, timezone, from, expected] of rows) {
    it(name, () => assert.deepEqual(starts(expression, timezone, from, expected.length), expected));
  }

  it("are none of a day that does not exist", () => {
    assert.ok(cronFault("0 0 31 * 1#1")?.startsWith("no day is ever like this"));
  });

  // The library rings by its own reckoning, which knows no instant but the present.
  for (const [expression, timezone] of [
    ["0 2 * * 0", "UTC"],
    ["15,45 */6 1,L * *", "Asia/Kathmandu"],
    ["30 2 * * 1-5", "Europe/Berlin"],
    ["0 0 * 1,7 5#2", "America/New_York"],
    ["5 4 3 2 1 *", "Pacific/Chatham"],
  ] as const) {
    it(`are those at which node-cron rings: ${expression} in ${timezone}`, () => {
      const now = Date.parse("2027-05-03T10:20:30Z");
      mock.timers.enable({ apis: ["Date"], now });
      try {
        const task = createTask(expression, () => {}, { timezone });
        const rings = task.getNextRuns(30).map((run) => run.getTime());
        task.destroy();
        const cron = readCron(expression, timezone);
        const own = rings.map((_, index) => nextStart(cron, rings[index - 1] ?? now));
        assert.deepEqual(own, rings);
      } finally {
        mock.timers.reset();
      }
    });
  }
});
