import { signal } from "@preact/signals";

export const VIEWS = ["overview", "decisions", "drills", "fleet", "events"] as const;
export type ViewName = (typeof VIEWS)[number];

interface Route {
  readonly view: ViewName;
  /** What is looked at in it: a request's id. */
  readonly item: string | null;
}

/** Where the page is, from the part of the address that no server sees: `#decisions/ID`. */
export const route = signal(read());

export function follow(): void {
  window.addEventListener("hashchange", () => {
    const before = route.value.view;
    route.value = read();
    if (route.value.view !== before) window.scrollTo(0, 0);
  });
}

function read(): Route {
  const [name = "", item = null] = location.hash.slice(1).split("/");
  const view = VIEWS.find((each) => each === name) ?? "overview";
  return { view, item: item === null ? null : decodeURIComponent(item) };
}
