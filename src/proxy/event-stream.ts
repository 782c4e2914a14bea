/** How long an event that has begun to pass may take, when its stream is to end. */
const EVENT_PATIENCE_MS = 2_000;

/** What ends an event (HTML, "server-sent events"): a blank line, by any of the three line ends. */
const BLANK_LINE = /(?:\n\n|\r\r|\r\n\r\n)$/;
const LONGEST_BLANK_LINE = 4;

export function isEventStreamType(contentType: string): boolean {
  return /^text\/event-stream\s*(?:;|$)/i.test(contentType);
}

/** Whether an answer is an event stream, and may be ended when nobody asks: one that says how long it is may not. */
export function isEventStream(
  method: string,
  status: number,
  headers: Record<string, string | string[] | undefined>,
): boolean {
  const [type = ""] = [headers["content-type"]].flat();
  return (
    method === "GET" && status === 200 && isEventStreamType(type) && headers["content-length"] === undefined
  );
}

/**
 * An event stream that passes. Its client connects again when it ends, and gets what it has missed, so it may be ended at
 * any time, best between two events. One that is compressed does not show where these are.
 */
export class EventStream {
  readonly #end: () => void;
  /** The last bytes that have passed. */
  #tail = "";
  #patience: NodeJS.Timeout | null = null;
  #leave: (() => void) | null = null;

  /** @param end ends it at once */
  constructor(end: () => void) {
    this.#end = end;
  }

  /** Its head is out. `join` tells whoever may want it to end. */
  begin(join: (close: () => void) => () => void): void {
    this.#leave = join(() => this.close());
  }

  passed(chunk: Buffer): void {
    const last = chunk.toString("latin1", Math.max(0, chunk.length - LONGEST_BLANK_LINE));
    this.#tail = (this.#tail + last).slice(-LONGEST_BLANK_LINE);
    if (this.#patience !== null && this.#isBetween) this.#end();
  }

  /** Ends it after the event that is passing. */
  close(): void {
    if (this.#patience !== null) return;
    this.#patience = setTimeout(this.#end, EVENT_PATIENCE_MS).unref();
    if (this.#isBetween) this.#end();
  }

  /** It has ended. */
  over(): void {
    this.#leave?.();
    if (this.#patience !== null) clearTimeout(this.#patience);
  }

  get #isBetween(): boolean {
    return this.#tail === "" || BLANK_LINE.test(this.#tail);
  }
}
