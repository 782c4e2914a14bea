import { happenings } from "./feed.ts";
import { clock } from "./format.ts";
import type { Happening } from "./happenings.ts";
import { Mark } from "./marks.tsx";

const openedAt = Date.now();

export function EventsView() {
  return (
    <section class="panel" aria-labelledby="events-title">
      <div class="panel-head">
        <h1 id="events-title">Events</h1>
        <span class="dim">since {clock(openedAt)}, as this edge tells them</span>
      </div>
      <EventList list={happenings.value} />
    </section>
  );
}

export function EventList({ list }: { readonly list: readonly Happening[] }) {
  if (list.length === 0) return <p class="empty">Nothing has happened since {clock(openedAt)}.</p>;
  return (
    <ul class="events">
      {list.map(({ key, at, weight, text, detail }) => (
        <li key={key}>
          <time>{at === "" ? "" : clock(at)}</time>
          <Mark weight={weight} />
          <span class="what">{text}</span>
          <span class="dim cut" title={detail}>
            {detail}
          </span>
        </li>
      ))}
    </ul>
  );
}
