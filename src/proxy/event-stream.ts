/** How long an event that has begun to pass may take, when its stream is to end. */
const EVENT_PATIENCE_MS = 2_000;

/** What ends an event (HTML, "server-sent events"): a blank line, by any of the three line ends. */
const BLANK_LINE = /\n\n|\r\r|\r\n\r\n/g;
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
  if (method !== "GET" || status !== 200 || headers["content-length"] !== undefined) return false;
  const said = headers["content-type"];
  return isEventStreamType((Array.isArray(said) ? said[0] : said) ?? "");
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

  /** How much of this may pass: all of it, but when the stream is to end what is left of the event. */
  take(chunk: Buffer): Buffer {
    const taken = this.#patience === null ? chunk : chunk.subarray(0, this.#endOfEvent(chunk));
    this.#tail = (this.#tail + textOf(taken.subarray(-LONGEST_BLANK_LINE))).slice(-LONGEST_BLANK_LINE);
    return taken;
  }

  /** What was taken was the last. */
  get isDone(): boolean {
    return this.#patience !== null && this.#isBetween;
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
    return this.#tail === "" || endsOfEvents(this.#tail).includes(this.#tail.length);
  }

  #endOfEvent(chunk: Buffer): number {
    const before = this.#tail.length;
    const end = endsOfEvents(this.#tail + textOf(chunk)).find((at) => at > before);
    return end === undefined ? chunk.length : end - before;
  }
}

function endsOfEvents(text: string): readonly number[] {
  return [...text.matchAll(BLANK_LINE)].map((found) => found.index + found[0].length);
}

/** Each byte a character; of a character of more only bytes that are no line ends. */
function textOf(bytes: Buffer): string {
  return bytes.toString("latin1");
}
