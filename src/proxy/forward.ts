import type { ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";
import type { Fault } from "../errors.ts";
import type { RequestBody } from "./body.ts";
import { BadHead, ClientGone, causeOf, faultOf } from "./faults.ts";
import { type HeaderList, type RegionHead, readRegionHead } from "./headers.ts";

/** One attempt's request as it goes to a region. */
export interface Outgoing {
  readonly dispatcher: Dispatcher;
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: RequestBody;
  readonly safe: boolean;
  /** What an https endpoint's certificate must be for: the endpoint, never the client's Host. */
  readonly servername: string | null;
  readonly responseTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** The head a client gets: the region's, edited by whoever decides about pins and cookies. */
export type EditHead = (status: number, head: RegionHead) => HeaderList | Promise<HeaderList>;

/** How an attempt ended. */
export interface AttemptResult {
  /** Null when the whole response arrived. */
  readonly fault: Fault | null;
  /** The region's status; null when no head came. */
  readonly status: number | null;
  /** Whether a byte may have reached the region. If not, any method may be tried elsewhere. */
  readonly sent: boolean;
  /** Dispatch to response head, or to the failure. */
  readonly durationMs: number;
  /** When the response head came, on the monotonic clock; null when none did. */
  readonly headAtMs: number | null;
  /** Bytes of the body that came from the region. */
  readonly bytes: number;
  readonly cause: string | null;
}

/** Sends one attempt and streams the response to the client. Resolves once, never rejects. */
export function forward(
  outgoing: Outgoing,
  res: ServerResponse,
  edit: EditHead,
  clock: Clock,
): Promise<AttemptResult> {
  return new Promise((resolve) => {
    const relay = new Relay(outgoing, res, edit, clock, resolve);
    const { dispatcher, method, url, headers, body, servername } = outgoing;
    try {
      dispatcher.dispatch(
        {
          method: method as Dispatcher.HttpMethod,
          path: url,
          headers,
          body: body.present ? body.stream() : null,
          headersTimeout: outgoing.responseTimeoutMs,
          bodyTimeout: outgoing.idleTimeoutMs,
          ...(servername === null ? {} : { servername }),
        } as Dispatcher.DispatchOptions,
        relay,
      );
    } catch (error) {
      relay.onResponseError(null, error as Error);
    }
  });
}

/**
 * Carries one response from undici's parser to the client's socket, with back-pressure. Three parties may end
 * it at any moment: the region, the client, and our own hold on the head; it settles exactly once.
 */
class Relay implements Dispatcher.DispatchHandler {
  readonly #outgoing: Outgoing;
  readonly #res: ServerResponse;
  readonly #edit: EditHead;
  readonly #clock: Clock;
  readonly #resolve: (result: AttemptResult) => void;
  readonly #startedAtMs: number;
  readonly #onClose = (): void => this.#clientClosed();

  #controller: Dispatcher.DispatchController | null = null;
  #status: number | null = null;
  #headAtMs: number | null = null;
  #headWritten = false;
  #holding = false;
  #clientGone = false;
  #bytes = 0;
  #settled = false;
  /** What came while the head was held: undici cannot pause a response to HEAD, nor one in a single packet. */
  #held: Buffer[] = [];
  #afterHead: (() => void) | null = null;

  constructor(
    outgoing: Outgoing,
    res: ServerResponse,
    edit: EditHead,
    clock: Clock,
    resolve: (result: AttemptResult) => void,
  ) {
    this.#outgoing = outgoing;
    this.#res = res;
    this.#edit = edit;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#startedAtMs = clock.now();
    res.once("close", this.#onClose);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // The client left while the request waited for a connection: nothing was sent, so nothing happens.
    if (this.#clientGone) {
      controller.abort(new ClientGone());
      return;
    }
    this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    parsed: Record<string, string | string[] | undefined>,
    statusText = "",
  ): void {
    if (status < 200) {
      if (status === 103) this.#earlyHints(parsed);
      return;
    }
    this.#status = status;
    this.#headAtMs = this.#clock.now();
    const edited = this.#edit(status, readRegionHead(rawHeadersOf(controller)));
    if (Array.isArray(edited)) {
      this.#writeHead(status, statusText, edited);
      return;
    }
    this.#holding = true;
    controller.pause();
    void edited
      .then((headers) => this.#writeHead(status, statusText, headers))
      .catch((error: Error) => this.#abort(error))
      .finally(() => controller.resume());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (!this.#headWritten) this.#held.push(chunk);
    else this.#write(controller, chunk);
  }

  onResponseEnd(
    _controller: Dispatcher.DispatchController,
    trailers: Record<string, string | string[] | undefined>,
  ): void {
    this.#whenHeadWritten(() => {
      if (!this.#clientGone) {
        addTrailers(this.#res, trailers);
        this.#res.end();
      }
      this.#settle(null, null);
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    const fault = this.#clientGone && this.#outgoing.safe ? "client_gone" : faultOf(error);
    if (!this.#headWritten && !this.#holding) {
      this.#settle(fault, error);
      return;
    }
    // A truncated response must look truncated: the socket dies, it does not end.
    this.#whenHeadWritten(() => {
      this.#res.destroy();
      this.#settle(fault, error);
    });
  }

  #writeHead(status: number, statusText: string, headers: HeaderList): void {
    this.#holding = false;
    if (!this.#clientGone) {
      try {
        this.#res.writeHead(status, statusText, headers);
      } catch (error) {
        this.#abort(new BadHead((error as Error).message));
        return;
      }
    }
    this.#headWritten = true;
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.#write(this.#controller, chunk);
    this.#afterHead?.();
  }

  #whenHeadWritten(action: () => void): void {
    if (this.#headWritten) action();
    else this.#afterHead = action;
  }

  #write(controller: Dispatcher.DispatchController | null, chunk: Buffer): void {
    if (this.#clientGone || this.#res.write(chunk) || controller === null) return;
    controller.pause();
    this.#res.once("drain", () => controller.resume());
  }

  /** RFC 8297; a client of HTTP/1.0 cannot read an interim response. */
  #earlyHints(headers: Record<string, string | string[] | undefined>): void {
    const { link } = headers;
    if (link === undefined || this.#clientGone || this.#res.req.httpVersion === "1.0") return;
    try {
      this.#res.writeEarlyHints({ link });
    } catch {
      // A hint the client never sees costs it nothing.
    }
  }

  /**
   * The client left. A safe request is not worth finishing. An unsafe one is read to its end: the region is
   * executing it, and only its outcome says how long the user is pinned.
   */
  #clientClosed(): void {
    if (this.#settled || this.#res.writableFinished) return;
    this.#clientGone = true;
    if (this.#outgoing.safe) this.#abort(new ClientGone());
    else this.#controller?.resume();
  }

  #abort(reason: Error): void {
    if (this.#controller === null) this.#settle(faultOf(reason), reason);
    else this.#controller.abort(reason);
  }

  #settle(fault: Fault | null, error: Error | null): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#res.off("close", this.#onClose);
    const endedAtMs = this.#headAtMs ?? this.#clock.now();
    this.#resolve({
      fault,
      status: this.#status,
      sent: this.#controller !== null,
      durationMs: endedAtMs - this.#startedAtMs,
      headAtMs: this.#headAtMs,
      bytes: this.#bytes,
      cause: error === null ? null : causeOf(error),
    });
  }
}

/** undici types the raw headers loosely; for HTTP/1 they are a flat list of names and values. */
function rawHeadersOf(controller: Dispatcher.DispatchController): readonly (Buffer | string)[] {
  const { rawHeaders } = controller as { rawHeaders?: unknown };
  return Array.isArray(rawHeaders) ? (rawHeaders as (Buffer | string)[]) : [];
}

function addTrailers(res: ServerResponse, trailers: Record<string, string | string[] | undefined>): void {
  const names = Object.keys(trailers);
  if (names.length > 0) res.addTrailers(trailers as Record<string, string>);
}

/** Certificates are checked against the endpoint's own name; a client must not be able to choose it by its Host. */
export function servernameOf(origin: string): string | null {
  return origin.startsWith("https:") ? new URL(origin).hostname : null;
}
