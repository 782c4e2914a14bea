import type { Weight } from "./happenings.ts";

/** How bad something is, by shape as well as by colour. Without a label it only repeats what is said beside it. */
export function Mark({ weight, label }: { readonly weight: keyof typeof SHAPES; readonly label?: string }) {
  return (
    <>
      <svg class={`mark ${weight}`} viewBox="0 0 16 16" aria-hidden="true">
        {SHAPES[weight]}
      </svg>
      {label !== undefined && <span class="unseen">{label} </span>}
    </>
  );
}

/** The sign alone, 16 by 16, for a place inside another drawing. `none` says that there is nothing to say. */
export const SHAPES: Readonly<Record<Weight | "none", preact.JSX.Element>> = {
  none: <path d="M4 8h8" stroke-width="2" stroke-linecap="round" />,
  ok: <circle cx="8" cy="8" r="4.5" />,
  note: (
    <>
      <circle cx="8" cy="8" r="4.2" fill="none" stroke-width="2" />
      <path d="M8 3.8a4.2 4.2 0 0 1 0 8.4z" stroke="none" />
    </>
  ),
  warn: <path d="M8 2.2 14.4 13.4H1.6z" />,
  crit: (
    <>
      <rect x="2" y="2" width="12" height="12" rx="2.5" />
      <path class="cut" d="m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2" />
    </>
  ),
};

/** The mark of the write region. */
export function WriterTag() {
  return (
    <span class="tag writer" title="Writes go here, and reads of users who have just written">
      writes
    </span>
  );
}

/** The course of a number, for the eye; the number itself stands beside it. */
export function Sparkline({ values }: { readonly values: readonly number[] }) {
  const most = Math.max(...values, 1);
  const step = 90 / 89;
  const from = 90 - (values.length - 1) * step;
  const points = values.map(
    (value, index) => `${(from + index * step).toFixed(1)},${(21 - (value / most) * 19).toFixed(1)}`,
  );
  return (
    <svg class="sparkline" viewBox="0 0 90 22" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  );
}

export function Bar({ share, weight = "ok" }: { readonly share: number; readonly weight?: Weight | "over" }) {
  return (
    <span class={`bar ${weight}`} aria-hidden="true">
      <span style={{ width: `${Math.min(share, 1) * 100}%` }} />
    </span>
  );
}

/** The heads of a table's columns, each with what its figures are. */
export function Heads({
  columns,
}: {
  readonly columns: readonly (readonly [name: string, title: string])[];
}) {
  return columns.map(([name, title]) => (
    <th key={name} scope="col" title={title}>
      {name}
    </th>
  ));
}

/** What may be wider than the page; the keyboard can reach it to scroll it. */
export function Scroll({
  label,
  children,
}: {
  readonly label: string;
  readonly children: preact.ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse must be able to scroll it
    <section class="scroll" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
