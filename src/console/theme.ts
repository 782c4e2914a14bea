import { signal } from "@preact/signals";

export type Theme = "light" | "dark";

const KEY = "meridian-theme";
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const saved = localStorage.getItem(KEY);

/** What was chosen here, else what the system prefers. */
export const theme = signal<Theme>(saved === "light" || saved === "dark" ? saved : preferred());

export function follow(): void {
  document.documentElement.dataset.theme = theme.value;
  prefersDark.addEventListener("change", () => {
    if (localStorage.getItem(KEY) === null) show(preferred());
  });
}

export function choose(chosen: Theme): void {
  localStorage.setItem(KEY, chosen);
  show(chosen);
}

function show(next: Theme): void {
  theme.value = next;
  document.documentElement.dataset.theme = next;
}

function preferred(): Theme {
  return prefersDark.matches ? "dark" : "light";
}
