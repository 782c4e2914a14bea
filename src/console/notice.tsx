import { signal } from "@preact/signals";

const said = signal<{ readonly text: string; readonly key: number } | null>(null);
const SHOWN_MS = 6_000;
let timer: ReturnType<typeof setTimeout> | undefined;
let last = 0;

/** Says for a while what has been done. */
export function notify(text: string): void {
  clearTimeout(timer);
  last += 1;
  said.value = { text, key: last };
  timer = setTimeout(() => {
    said.value = null;
  }, SHOWN_MS);
}

export function Notice() {
  return (
    <div class="notice" role="status">
      {said.value === null ? null : <p key={said.value.key}>{said.value.text}</p>}
    </div>
  );
}
