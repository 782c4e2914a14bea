import type { View } from "./region.ts";

/** A view never changes, so what is true of all its regions is found out once, however many requests it decides. */
export function oncePerView<Found>(find: (view: View) => Found): (view: View) => Found {
  const known = new WeakMap<View, { readonly found: Found }>();
  return (view) => {
    const before = known.get(view);
    if (before !== undefined) return before.found;
    const found = find(view);
    known.set(view, { found });
    return found;
  };
}
