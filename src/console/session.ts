import { signal } from "@preact/signals";

const KEY = "meridian-token";

/** Gone with the tab, and in no URL. */
export const token = signal<string | null>(sessionStorage.getItem(KEY));

/** Why a token is asked for; null while none is. */
export const gate = signal<string | null>(null);

export function enter(given: string): void {
  sessionStorage.setItem(KEY, given);
  token.value = given;
  gate.value = null;
}

export function leave(why: string): void {
  sessionStorage.removeItem(KEY);
  token.value = null;
  gate.value = why;
}
