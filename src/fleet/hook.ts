import { request } from "undici";
import type { Config } from "../config/schema.ts";
import type { Move } from "./move.ts";

export type HookConfig = NonNullable<Config["failover"]["hook"]>;

/** What came of telling whoever promotes the database. */
export type HookAnswer = { readonly done: true } | { readonly done: false; readonly cause: string };

const SHOWN_OF_ANSWER = 200;

/**
 * Calls the operator's hook, once. It has to be idempotent: of one move, with one epoch, it may be called again, by this edge or
 * another. Never rejects; anything but a 2xx in time is a failure, after which it may still do its work.
 */
export async function callHook({ url, timeout, token }: HookConfig, move: Move): Promise<HookAnswer> {
  const { id, from, to, epoch, at, automatic, forced, reason, who } = move;
  const body = { move: id, from, to, epoch, position: at, automatic, forced, reason, by: who };
  try {
    const { statusCode, body: answer } = await request(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "idempotency-key": id,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const text = (await answer.text()).slice(0, SHOWN_OF_ANSWER).trim();
    if (statusCode >= 200 && statusCode < 300) return { done: true };
    return { done: false, cause: `the hook answered ${statusCode}${text === "" ? "" : `: ${text}`}` };
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    const late = name === "TimeoutError";
    const cause = late
      ? `the hook did not answer within ${timeout} ms`
      : `the hook failed: ${code ?? message}`;
    return { done: false, cause };
  }
}
