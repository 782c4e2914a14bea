import { type Agent, type Dispatcher, request } from "undici";
import type { Tally } from "./tally.ts";

/** A browser keeps its cookies; a phone of the same user shares nothing with it but who the user is. */
export type Device = "browser" | "phone";

/** What came back, as far as a visitor cares. */
export interface Visit {
  readonly method: "GET" | "PUT";
  readonly device: Device;
  readonly status: number;
  readonly region: string;
  readonly reason: string;
  readonly version: number | null;
  readonly stale: boolean;
}

const TIMEOUT_MS = 15_000;

/** One user with two devices, who notices when a read is older than a write that was acknowledged. */
export class Visitor {
  readonly id: string;
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #tally: Tally;
  readonly #cookies = new Map<string, string>();
  readonly #acknowledged = new Map<string, number>();

  constructor(id: string, edge: { origin: string; agent: Agent }, tally: Tally) {
    this.id = id;
    this.#origin = edge.origin;
    this.#agent = edge.agent;
    this.#tally = tally;
  }

  /** Resolves to null when the request failed; the tally knows why. */
  async write(key: string, device: Device = "browser"): Promise<Visit | null> {
    this.#tally.writes += 1;
    const visit = await this.#visit("PUT", key, device, 0);
    if (visit !== null && visit.version !== null) this.#acknowledge(key, visit.version);
    return visit;
  }

  async read(key: string, device: Device = "browser"): Promise<Visit | null> {
    this.#tally.reads += 1;
    // What was acknowledged before the read was sent is what it has to show.
    return this.#visit("GET", key, device, this.#acknowledged.get(key) ?? 0);
  }

  /** Ends the visit: the browser's session is gone, what the user has written is not. */
  forget(): void {
    this.#cookies.clear();
  }

  #acknowledge(key: string, version: number): void {
    this.#acknowledged.set(key, Math.max(version, this.#acknowledged.get(key) ?? 0));
  }

  async #visit(
    method: Visit["method"],
    key: string,
    device: Device,
    leastVersion: number,
  ): Promise<Visit | null> {
    try {
      const answer = await this.#send(method, key, device);
      const text = await answer.body.text();
      if (device === "browser") this.#keepCookies(answer.headers["set-cookie"]);
      if (answer.statusCode >= 400)
        return this.#failed(method, faultOf(text) ?? `status ${answer.statusCode}`);
      return this.#judge(answer, text, { method, device, leastVersion });
    } catch (error) {
      // Cut because the visitors leave: nobody's failure.
      return this.#agent.destroyed ? null : this.#failed(method, codeOf(error));
    }
  }

  #send(method: Visit["method"], key: string, device: Device): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.id}` };
    if (device === "browser" && this.#cookies.size > 0) headers.cookie = this.#cookieHeader();
    return request(`${this.#origin}/items/${key}`, {
      method,
      headers,
      body: method === "PUT" ? "a new value" : null,
      dispatcher: this.#agent,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
  }

  #judge(
    { statusCode, headers }: Dispatcher.ResponseData,
    text: string,
    { method, device, leastVersion }: { method: Visit["method"]; device: Device; leastVersion: number },
  ): Visit {
    const region = String(headers["x-meridian-region"] ?? "?");
    const reason = String(headers["x-meridian-reason"] ?? "?");
    const version = versionOf(text);
    const stale = version !== null && version < leastVersion;
    this.#tally.served(region, reason);
    if (stale) this.#tally.stale(headers["x-meridian-consistency"] !== undefined, { region, reason });
    return { method, device, status: statusCode, region, reason, version, stale };
  }

  #failed(method: string, kind: string): null {
    this.#tally.error(method, kind);
    return null;
  }

  #keepCookies(given: string | string[] | undefined): void {
    for (const line of [given ?? []].flat()) {
      const [pair = ""] = line.split(";", 1);
      const at = pair.indexOf("=");
      if (at > 0) this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }

  #cookieHeader(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }
}

function versionOf(text: string): number | null {
  const version: unknown = parse(text)?.version;
  return typeof version === "number" ? version : null;
}

/** The fault that a refusal names; null when the body is no problem of the edge. */
export function faultOf(text: string): string | null {
  const fault: unknown = parse(text)?.fault;
  return typeof fault === "string" ? fault : null;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What a failure is called where it is counted. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? String(error.code) : error.name;
}
