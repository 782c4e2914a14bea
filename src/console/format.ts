/** How numbers and times read in the console. Pure; what is not known is a dash. */
export const UNKNOWN = "–";

export function milliseconds(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : duration(ms);
}

/** To two units at most: `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const units = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ] as const;
  let left = seconds;
  const parts: string[] = [];
  for (const [size, name] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** A drill's times are worth a digit more. */
export function seconds(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : duration(ms);
}

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

export function count(number: number | null): string {
  return number === null ? UNKNOWN : number.toLocaleString("en-US");
}

/** `43 %`; never 0 for something, nor 100 for not all. */
export function percent(share: number): string {
  if (share > 0 && share < 0.01) return "<1 %";
  if (share < 1 && share > 0.99) return ">99 %";
  return `${Math.round(share * 100)} %`;
}

/** The time of day of an instant, in the browser's zone. */
export function clock(instant: string | number): string {
  return new Date(instant).toLocaleTimeString("en-GB");
}

/** `in 3 min`, `12 s ago`. */
export function fromNow(instant: string, nowMs: number): string {
  const awayMs = Date.parse(instant) - nowMs;
  return awayMs > 0 ? `in ${duration(awayMs)}` : `${duration(-awayMs)} ago`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}

export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}
