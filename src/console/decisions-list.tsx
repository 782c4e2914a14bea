import type { RecentAnswer } from "../admin/decision-messages.ts";
import { clock, milliseconds } from "./format.ts";
import { Mark } from "./marks.tsx";
import { route } from "./route.ts";
import { faultText, reasonLabel, reasonText } from "./words.ts";

export type Recent = RecentAnswer["decisions"][number];

/** Decisions one below the other; each leads to its explanation. */
export function Decisions({
  list,
  brief = false,
}: {
  readonly list: readonly Recent[];
  readonly brief?: boolean;
}) {
  if (list.length === 0) return <p class="empty">No request yet.</p>;
  return (
    <ul class={brief ? "decisions brief" : "decisions"}>
      {list.map((each) => (
        <li key={each.id}>
          <a
            href={`#decisions/${encodeURIComponent(each.id)}`}
            aria-current={route.value.item === each.id ? "true" : undefined}
          >
            <time>{clock(each.at)}</time>
            <span class="what">
              <span class="method">{each.method}</span> {each.path}
            </span>
            <span class="where">
              {isBad(each) && <Mark weight="crit" label="failed" />}
              {each.region ?? "nowhere"}
            </span>
            <span class="why" title={whyText(each)}>
              {each.reason === null ? (each.fault ?? "") : reasonLabel(each.reason)}
            </span>
            {!brief && <span class="number status">{each.status}</span>}
            {!brief && <span class="number">{milliseconds(each.durationMs)}</span>}
          </a>
        </li>
      ))}
    </ul>
  );
}

function isBad({ status }: Recent): boolean {
  return status >= 500;
}

export function whyText({ reason, fault }: Pick<Recent, "reason" | "fault">): string {
  if (reason !== null) return `because ${reasonText(reason)}`;
  return fault === null ? "" : `refused: ${faultText(fault)}`;
}
