import type { Dispatcher } from "undici";
import type { Device, Operation } from "./history.ts";

/** Written only by the region that becomes a session's home. */
const AFFINITY = "meridian_affinity=";

/** What a client learns from an answer. */
export type Seen = Pick<
  Operation,
  "headMs" | "status" | "fault" | "version" | "region" | "reason" | "consistency"
>;

export const NOTHING_SEEN: Seen = {
  headMs: null,
  status: null,
  fault: null,
  version: null,
  region: null,
  reason: null,
  consistency: null,
};

/** One client of a user. */
export class Client {
  readonly user: string;
  readonly device: Device;
  /** The region that its affinity cookie names; null without one. */
  home: string | null = null;
  readonly #cookies = new Map<string, string>();

  constructor(user: string, device: Device) {
    this.user = user;
    this.device = device;
  }

  get authorization(): string {
    return `Bearer ${this.user}`;
  }

  headers(): Record<string, string> {
    const { authorization } = this;
    if (this.#cookies.size === 0) return { authorization };
    return {
      authorization,
      cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; "),
    };
  }

  keepCookies({ headers }: Dispatcher.ResponseData): void {
    if (this.device === "bare") return;
    for (const line of [headers["set-cookie"] ?? []].flat()) {
      const [pair = ""] = line.split(";", 1);
      const at = pair.indexOf("=");
      this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
      if (pair.startsWith(AFFINITY)) this.home = String(headers["x-meridian-region"]);
    }
  }
}

/** What an answer's head says. */
export function headOf({ statusCode, headers }: Dispatcher.ResponseData) {
  const text = (name: string) => (headers[name] === undefined ? null : String(headers[name]));
  const version = text("x-chaos-version");
  return {
    status: statusCode,
    version: version === null ? null : Number(version),
    region: text("x-meridian-region"),
    reason: text("x-meridian-reason"),
    consistency: text("x-meridian-consistency"),
  };
}
