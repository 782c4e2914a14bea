import { regions } from "./live.ts";
import type { Given, Plan } from "./plans.ts";

interface FieldsProps {
  readonly plan: Plan;
  readonly region: string;
  readonly given: Given;
  readonly onRegion: (next: string) => void;
  readonly onGiven: (next: Given) => void;
}

/** What a change is asked with. */
export function Fields({ plan, region, given, onRegion, onGiven }: FieldsProps) {
  const has = (field: Plan["fields"][number]) => plan.fields.includes(field);
  const set = (key: keyof Given) => (event: { readonly currentTarget: { readonly value: string } }) =>
    onGiven({ ...given, [key]: event.currentTarget.value });
  return (
    <div class="fields">
      {has("region") && (
        <label>
          Region
          <select value={region} required onChange={(event) => onRegion(event.currentTarget.value)}>
            <option value="" disabled>
              Choose
            </option>
            {regions.value.map(({ id }) => (
              <option key={id}>{id}</option>
            ))}
          </select>
        </label>
      )}
      {has("kind") && (
        <label>
          How it is lost
          <select value={given.kind} onChange={set("kind")}>
            <option value="black-hole">black hole: edges have to find out</option>
            <option value="drain">drain: edges send nobody there</option>
          </select>
        </label>
      )}
      {has("lasts") && (
        <label>
          For how long
          <input value={given.lasts} onInput={set("lasts")} {...DURATION} />
        </label>
      )}
      {has("abortAbove") && (
        <label>
          End above this share of lost requests, in percent
          <input
            type="number"
            value={given.abortAbove}
            onInput={set("abortAbove")}
            min="0"
            max="100"
            step="any"
            required
          />
        </label>
      )}
      {has("deadline") && (
        <label>
          Sessions may stay for
          <input value={given.deadline} onInput={set("deadline")} {...DURATION} />
        </label>
      )}
      <label class="whole">
        Reason, for the audit log
        <input
          value={given.reason}
          onInput={set("reason")}
          required
          pattern=".*\S.*"
          maxLength={500}
          autocomplete="off"
          placeholder="kernel update, CHG-1234"
          autofocus
        />
      </label>
    </div>
  );
}

const DURATION = {
  required: true,
  pattern: "[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)",
  title: "a number and a unit: 90s, 10m, 2h",
  spellcheck: false,
};
