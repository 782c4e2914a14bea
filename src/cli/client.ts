import { request } from "undici";

/** Where an edge's admin API is and how to be let in. */
export interface AdminAddress {
  readonly admin: string;
  readonly token?: string | undefined;
}

/** A call that did not succeed; the message is one line for the operator. */
export class CallFailed extends Error {}

const TIMEOUT_MS = 40_000;
/** A move of the write region waits for the new one, and for a hook that may take minutes. */
export const MOVE_TIMEOUT_MS = 900_000;

/** Calls an edge's admin API. Resolves with the JSON of a 2xx answer, else throws {@link CallFailed}. */
export async function call(
  address: AdminAddress,
  method: "GET" | "POST",
  path: string,
  body?: object,
  timeoutMs = TIMEOUT_MS,
): Promise<unknown> {
  const { status, type, text } = await exchange(address, method, path, body, timeoutMs);
  const answer = type.includes("json") ? parse(text) : undefined;
  if (answer === undefined) {
    throw new CallFailed(`${address.admin} answered ${status} ${type}, which is not a Meridian admin API`);
  }
  if (status >= 200 && status < 300) return answer;
  throw new CallFailed(explainProblem(status, answer));
}

interface Exchanged {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

async function exchange(
  { admin, token }: AdminAddress,
  method: "GET" | "POST",
  path: string,
  body: object | undefined,
  timeoutMs: number,
): Promise<Exchanged> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const url = new URL(admin.replace(/\/+$/, "") + path);
    const response = await request(url, {
      method,
      headers,
      body: body ? JSON.stringify(body) : null,
      signal,
      headersTimeout: 0,
    });
    const type = String(response.headers["content-type"] ?? "without a content-type");
    return { status: response.statusCode, type, text: await response.body.text() };
  } catch (error) {
    throw new CallFailed(
      `no answer from ${admin} (${causeOf(error)}); is the edge running, and --admin right?`,
    );
  }
}

/** The remedy is in the problem's detail; only a missing token is better told in this tool's own words. */
function explainProblem(status: number, answer: unknown): string {
  const { detail } = (answer ?? {}) as { detail?: unknown };
  if (status === 401) return "the edge wants a valid token: give --token-file or set MERIDIAN_TOKEN";
  return typeof detail === "string" ? detail : `the edge answered ${status}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A name with several addresses fails with one error for each and no message of its own. */
function causeOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(causeOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}
