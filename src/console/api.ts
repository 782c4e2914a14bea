import { leave, token } from "./session.ts";

/** A refusal of the API, as it says it. */
export class Problem extends Error {
  readonly status: number;
  readonly fault: string;
  readonly title: string;

  constructor(
    status: number,
    { title, detail, fault }: Partial<Record<"title" | "detail" | "fault", string>>,
  ) {
    super(detail ?? title ?? `The edge answered ${status}`);
    this.status = status;
    this.fault = fault ?? "";
    this.title = title ?? `${status}`;
  }
}

const ANSWER_WITHIN_MS = 4_000;
/** A move of the write region is answered when it is over. */
const CHANGE_WITHIN_MS = 180_000;

export function look<T>(path: string): Promise<T> {
  return call(path, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
}

export function change<T>(path: string, body: object): Promise<T> {
  return call(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(CHANGE_WITHIN_MS),
  });
}

/** A call with the token, if there is one. Throws a {@link Problem}, or what `fetch` throws when nobody answers. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  const sent = token.value;
  if (sent !== null) headers.set("authorization", `Bearer ${sent}`);
  const answer = await fetch(path, { ...init, headers, credentials: "omit", redirect: "error" });
  if (answer.ok) return answer;
  const problem = new Problem(answer.status, await answer.json().catch(() => ({})));
  const isLockedOut = answer.status === 429 && problem.fault === "locked_out";
  if ((answer.status === 401 || isLockedOut) && token.value === sent) leave(refusedText(problem, sent));
  throw problem;
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  const answer = await send(path, init);
  return (await answer.json()) as T;
}

function refusedText(problem: Problem, sent: string | null): string {
  if (problem.status === 429) return problem.message;
  return sent === null ? "" : "The edge does not know this token.";
}
