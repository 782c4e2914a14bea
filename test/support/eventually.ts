import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 20;

/**
 * Waits until `check` neither throws nor answers false, and resolves to what it answered. Fails with the
 * check's own error once `withinMs` are over.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { withinMs = 5_000 }: { withinMs?: number } = {},
): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const seen = await attempt(check);
    if (seen.ok) return seen.value;
    if (performance.now() > deadlineMs) throw seen.error;
    await sleep(PAUSE_MS);
  }
}

type Seen<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

async function attempt<T>(check: () => T | Promise<T>): Promise<Seen<T>> {
  try {
    const value = await check();
    return value === false ? { ok: false, error: new Error("never became true") } : { ok: true, value };
  } catch (error) {
    return { ok: false, error };
  }
}
