import { request } from "undici";

/** Where an edge's admin API is when nobody says. */
export const DEFAULT_ADMIN = "http://127.0.0.1:9090";

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

/** Where a call goes, and what it says of who makes it. */
export function urlOf({ admin }: AdminAddress, path: string): URL {
  return new URL(admin.replace(/\/+$/, "") + path);
}

export function headersOf({ token }: AdminAddress, accept: string): Record<string, string> {
  return { accept, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
}

/** What `GET /metrics` answers, as text; else throws {@link CallFailed}. */
export async function scrape(address: AdminAddress): Promise<string> {
  const { status, text } = await exchange(address, "GET", "/metrics", undefined, TIMEOUT_MS);
  if (status !== 200) throw new CallFailed(`${address.admin}/metrics answered ${status}`);
  return text;
}

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
  address: AdminAddress,
  method: "GET" | "POST",
  path: string,
  body: object | undefined,
  timeoutMs: number,
): Promise<Exchanged> {
  const { admin } = address;
  const headers = headersOf(address, "application/json");
  if (body) headers["content-type"] = "application/json";
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await request(urlOf(address, path), {
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
