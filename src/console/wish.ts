import { signal } from "@preact/signals";

/** A change that an operator is about to make. */
export interface Wish {
  readonly kind: "drain" | "close" | "undrain" | "promote" | "drill" | "stop-drill";
  /** Null: yet to be chosen. */
  readonly region: string | null;
}

export const wanted = signal<Wish | null>(null);
let opener: HTMLElement | null = null;

/** Opens the dialog; the focus comes back to where it was asked for. */
export function wish(next: Wish, from: HTMLElement): void {
  opener = from;
  wanted.value = next;
}

export function drop(): void {
  wanted.value = null;
  if (opener?.isConnected) opener.focus();
  else document.getElementById("main")?.focus();
}
