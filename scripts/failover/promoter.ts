import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { nowMs } from "../chaos/monotonic.ts";

/** What the hook is asked for. */
export interface HookBody {
  readonly move: string;
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  readonly position: string | null;
  readonly automatic: boolean;
  readonly forced: boolean;
  readonly reason: string;
}

/** A call of the hook, as the promoter remembers it. */
export interface HookCall {
  readonly atMs: number;
  readonly body: HookBody;
  /** What is wrong with the call itself; empty when nothing is. */
  readonly malformed: readonly string[];
  /** What it was answered; null while it was not. */
  answered: number | null;
}

/** How the hook is broken; `late` works when whoever has called has given up. */
export type HookMode = "works" | "fails" | "fails-after-work" | "hangs" | "slow" | "late";

export const HOOK_TOKEN = "a-token-that-only-the-proof-uses";
export const HOOK_TIMEOUT_MS = 4_000;
const SLOW_MS = 3_000;
const LATE_MS = HOOK_TIMEOUT_MS + 1_000;

/** The server that the failover hook calls. What promotes the database is the world's. */
export class Promoter {
  mode: HookMode = "works";
  readonly calls: HookCall[] = [];
  readonly #promote: (asked: HookBody) => boolean;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #newestEpoch = 1;

  /** `promote` answers whether it could. */
  constructor(promote: (asked: HookBody) => boolean) {
    this.#promote = promote;
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/promote`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await Array.fromAsync(request, String).catch(() => []);
    const body = JSON.parse(text.join("") || "{}") as HookBody;
    const call: HookCall = { atMs: nowMs(), body, malformed: faultsOf(request, body), answered: null };
    this.calls.push(call);
    const status = await this.#answerTo(call);
    if (status === null) return;
    call.answered = status;
    response.writeHead(status).end();
  }

  /** Null: never. */
  async #answerTo({ body, malformed }: HookCall): Promise<number | null> {
    const { mode } = this;
    if (malformed.length > 0) return 400;
    if (mode === "hangs") return null;
    if (mode === "fails") return 500;
    await sleep(mode === "slow" ? SLOW_MS : mode === "late" ? LATE_MS : 0);
    if (body.epoch < this.#newestEpoch) return 409;
    // Who asks again is told that it is done, and finds it done.
    this.#newestEpoch = body.epoch;
    const isDone = this.#promote(body);
    return isDone && mode !== "fails-after-work" ? 200 : 500;
  }
}

function faultsOf({ method, headers }: IncomingMessage, body: HookBody): readonly string[] {
  const expected: readonly (readonly [what: string, holds: boolean])[] = [
    ["method", method === "POST"],
    ["authorization", headers.authorization === `Bearer ${HOOK_TOKEN}`],
    ["content-type", headers["content-type"]?.startsWith("application/json") ?? false],
    ["idempotency-key", headers["idempotency-key"] === body.move],
    ["move", typeof body.move === "string" && body.move !== ""],
    ["from", typeof body.from === "string" && body.from !== body.to],
    ["to", typeof body.to === "string" && body.to !== ""],
    ["epoch", Number.isSafeInteger(body.epoch) && body.epoch > 1],
    ["position", body.position === null || /^[0-9a-f]{16}$/.test(body.position)],
    ["automatic", typeof body.automatic === "boolean"],
    ["forced", typeof body.forced === "boolean"],
    ["reason", typeof body.reason === "string" && body.reason !== ""],
  ];
  return expected.filter(([, holds]) => !holds).map(([what]) => what);
}
