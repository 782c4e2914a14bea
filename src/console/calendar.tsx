import { duration, fromNow, percent } from "./format.ts";
import { nowMs, schedule } from "./live.ts";
import { Mark, Scroll } from "./marks.tsx";
import { drillKindText } from "./words.ts";

interface Entry {
  readonly key: string;
  readonly region: string;
  readonly what: string;
  readonly when: string;
  readonly lasts: string;
  readonly next: string | null;
  readonly until: string | null;
  readonly reason: string | null;
}

/** What the file's calendar does by itself, and when next. */
export function Calendar() {
  const entries = entriesOf().toSorted((a, b) =>
    (a.until ?? a.next ?? "~").localeCompare(b.until ?? b.next ?? "~"),
  );
  return (
    <section class="panel" aria-labelledby="calendar-title">
      <div class="panel-head">
        <h2 id="calendar-title">Calendar</h2>
      </div>
      {entries.length === 0 ? (
        <p class="empty">
          No maintenance and no drill is planned. <code>schedule</code> in the file plans them.
        </p>
      ) : (
        <Scroll label="The calendar">
          <table>
            <thead>
              <tr>
                <th scope="col">Next</th>
                <th scope="col">What</th>
                <th scope="col">Lasts</th>
                <th scope="col">Rule</th>
                <th scope="col">Reason</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <tr key={entry.key}>
                  <td>{nextText(entry)}</td>
                  <td>
                    {entry.until !== null && <Mark weight="note" label="on" />}
                    <b>{entry.region}</b> {entry.what}
                  </td>
                  <td>{entry.lasts}</td>
                  <td>
                    <code>{entry.when}</code>
                  </td>
                  <td class="dim">{entry.reason}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

function entriesOf(): readonly Entry[] {
  const { maintenance = [], drills = [] } = schedule.value ?? {};
  return [
    ...maintenance.map((each, index) => ({
      ...each,
      key: `maintenance ${index}`,
      what: each.action === "drain" ? "is drained" : "is closed",
      when: `${each.cron} ${each.timezone}`,
    })),
    ...drills.map((each, index) => ({
      ...each,
      key: `drill ${index}`,
      what: `drill, ${drillKindText(each.kind)}, aborted above ${percent(each.abortAbove.errorRatio)} lost`,
      when: `${each.cron} ${each.timezone}`,
    })),
  ];
}

function nextText({ next, until }: Entry) {
  if (until !== null) return <b>on, ends in {duration(Date.parse(until) - nowMs.value)}</b>;
  if (next === null) return <span class="dim">never</span>;
  const date = new Date(next).toLocaleString("en-GB", {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (
    <>
      {date} <small>{fromNow(next, nowMs.value)}</small>
    </>
  );
}
