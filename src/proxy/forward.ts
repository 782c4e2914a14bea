import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";
import type { RequestBody } from "./body.ts";
import type { AttemptResult } from "./carrier.ts";
import { ClientGone } from "./faults.ts";
import { Relay } from "./forward-relay.ts";
import type { Place } from "./gate.ts";
import type { HeaderList, RegionHead } from "./headers.ts";
import type { InboundResponse } from "./inbound.ts";
import type { Timeouts } from "./timeouts.ts";
import type { UploadTerms } from "./upload.ts";

/**
 * undici looks for a server's name in the Host of each request that comes without one, in clear too, by an expression for
 * every form of IP address.
 */
const NO_SERVERNAME = "in-clear";

/** One attempt's request as it goes to a region. */
export interface Outgoing {
  readonly dispatcher: Pick<Dispatcher, "dispatch">;
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: RequestBody;
  /** Null when it has no body. */
  readonly upload: UploadTerms | null;
  /** Cut it when the client leaves; otherwise it is finished, for its outcome is wanted. */
  readonly cutWhenGone: boolean;
  /** Over a new connection: one that had been kept has just died under the same request. */
  readonly fresh: boolean;
  /** What an https endpoint's certificate must be for: the endpoint, never the client's Host. */
  readonly servername: string | null;
  readonly responseTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** What this request holds of the region, and its client may hold back. They are left when it is over. */
  readonly places: readonly Place[];
  /**
   * The head a client gets, from the region's. Whoever decides about pins and cookies may hold it. Null: the client gets
   * none of this answer, because the region has done nothing and another may be asked.
   */
  readonly head: (region: RegionHead) => HeaderList | Promise<HeaderList> | null;
  /** Told of every chunk of the answer's body. */
  readonly count: (bytes: number) => void;
  /** Told that the answer is an event stream, and how to end it; answers what to call when it has ended. */
  readonly streams: (close: () => void) => () => void;
}

export interface ForwardParts {
  readonly clock: Clock;
  readonly timeouts: Timeouts;
}

/** An attempt under way. */
export interface Forwarding {
  /** To be told when the client's side is closed: it has left, or has its answer. */
  clientLeft(): void;
}

/**
 * Sends one attempt and streams the answer to the client.
 *
 * @param done told once how it has ended; perhaps before this returns
 */
export function forward(
  outgoing: Outgoing,
  res: InboundResponse,
  parts: ForwardParts,
  done: (result: AttemptResult) => void,
): Forwarding {
  const relay = new Relay(outgoing, res, parts, done);
  const { dispatcher, method, url, headers, servername } = outgoing;
  try {
    if (res.destroyed) throw new ClientGone("the client left");
    const body = relay.upload === null ? null : outgoing.body.sent(relay.upload);
    // Whether a body that comes by and by waits for the client or for the region is known where it is written.
    const isTimedByUs = body === null || Buffer.isBuffer(body);
    if (isTimedByUs) relay.timed();
    dispatcher.dispatch(
      {
        method: method as Dispatcher.HttpMethod,
        path: url,
        headers,
        body,
        headersTimeout: isTimedByUs ? 0 : outgoing.responseTimeoutMs,
        bodyTimeout: isTimedByUs ? 0 : outgoing.idleTimeoutMs,
        servername: servername ?? NO_SERVERNAME,
      } as Dispatcher.DispatchOptions,
      relay,
    );
  } catch (error) {
    relay.fail(error as Error);
  }
  return relay;
}
