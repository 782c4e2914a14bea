import type { DrillAnswer } from "../admin/drill-messages.ts";
import type { WriteRegionAnswer } from "../admin/fleet-messages.ts";
import type { AdmissionAnswer } from "../admin/region-messages.ts";
import { clock, count, listed, percent, rate } from "./format.ts";
import { Bar } from "./marks.tsx";
import { thereText } from "./region-detail.tsx";
import { faultText } from "./words.ts";

/** What any change answers, its dry run too. */
export type Answer = Partial<
  Omit<AdmissionAnswer, "before"> &
    DrillAnswer &
    Omit<WriteRegionAnswer, "before"> & { readonly before: string | WriteRegionAnswer["before"] }
>;
type Move = AdmissionAnswer["moves"][number];

/** What would move, as the edge has worked it out. */
export function Preview({ answer }: { readonly answer: Answer }) {
  const { affected, moves, load, warnings, objections, admission } = answer;
  return (
    <div class="preview">
      <h3>What will happen</h3>
      <ul>
        {sentences(answer).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
        {moves?.filter(changesSomething).map((move) => (
          <MoveLine key={`${move.traffic} ${move.jurisdictions}`} move={move} />
        ))}
        {moves !== undefined && !moves.some(changesSomething) && <li>New traffic goes where it goes now.</li>}
        {affected !== undefined && <li>There now: {thereText(affected)}.</li>}
        {affected?.estimatedEnd && affected.estimatedEnd !== admission?.deadline && (
          <li>The last of them leaves about {clock(affected.estimatedEnd)}.</li>
        )}
        {admission?.deadline && <li>Whoever is left at {clock(admission.deadline)} is moved.</li>}
        {warnings?.map((warning) => (
          <li key={warning} class="warn">
            {warning}
          </li>
        ))}
        {objections?.map(({ word, why }) => (
          <li key={word} class="warn">
            {why}
          </li>
        ))}
      </ul>
      {load !== undefined && load.length > 0 && <Loads load={load} />}
    </div>
  );
}

/** Of a move of the write region, whose before and after are more than a word. */
function sentences({ before, after, promotedPosition }: Answer): readonly string[] {
  if (typeof before !== "object" || after === undefined) return [];
  const told = [
    `Writes go to ${after.writeRegion} instead of ${before.writeRegion ?? "every writer"}, as epoch ${after.epoch}.`,
  ];
  const position = promotedPosition ?? null;
  return position === null ? told : [...told, `The new region has applied the write log up to ${position}.`];
}

function changesSomething({ before, after }: Move): boolean {
  return JSON.stringify(before) !== JSON.stringify(after);
}

function MoveLine({ move: { traffic, jurisdictions, before, after } }: { readonly move: Move }) {
  const who = `${traffic === "reads" ? "Reads" : "Writes"}${jurisdictions === null ? "" : ` kept in ${listed(jurisdictions)}`}`;
  return (
    <li class={after.fault === null ? "" : "crit"}>
      {who}: {destination(before)} → <b>{destination(after)}</b>
    </li>
  );
}

function destination({ regions, fault }: Move["after"]): string {
  if (fault !== null) return `refused, ${faultText(fault)}`;
  return listed(regions.map(({ region, share }) => (share === 1 ? region : `${region} ${percent(share)}`)));
}

function Loads({ load }: { readonly load: AdmissionAnswer["load"] }) {
  const most = Math.max(...load.flatMap(({ before, after, capacity }) => [before, after, capacity ?? 0]), 1);
  return (
    <table class="loads">
      <thead>
        <tr>
          <th scope="col">Requests a second</th>
          <th scope="col">Now</th>
          <th scope="col">Then</th>
          <th scope="col">
            <span class="unseen">As a bar</span>
          </th>
          <th scope="col">Capacity</th>
        </tr>
      </thead>
      <tbody>
        {load.map(({ region, before, after, capacity }) => (
          <tr key={region}>
            <th scope="row">{region}</th>
            <td class="number">{rate(before)}</td>
            <td class="number">
              <b>{rate(after)}</b>
            </td>
            <td>
              <Bar share={after / most} weight={capacity !== null && after > capacity ? "over" : "ok"} />
            </td>
            <td class="number">{count(capacity)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
