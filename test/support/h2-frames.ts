import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

// HTTP/2 by hand (RFC 9113), so that a test can send what no client would.

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, 4 * index);
  return buffer;
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frame(TYPE.settings, 0, 0, payload);
}

export type Field = readonly [name: string, value: string];

/** A header block in which each field is literal, unindexed and not compressed (RFC 7541 §6.2.2). */
export function block(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 §5.1. */
function integer(value: number, prefixBits: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** The head of a plain request; given fields replace those of the same name, `undefined` removes one. */
export function request(changes: Readonly<Record<string, string | undefined>> = {}): readonly Field[] {
  const plain = { ":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/" };
  return Object.entries({ ...plain, ...changes }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
}

export function headers(
  streamId: number,
  fields: readonly Field[] = request(),
  flags: number = FLAG.endHeaders | FLAG.endStream,
): Buffer {
  return frame(TYPE.headers, flags, streamId, block(fields));
}

export function data(streamId: number, bytes: string | Buffer, flags: number = FLAG.endStream): Buffer {
  return frame(TYPE.data, flags, streamId, Buffer.from(bytes as string));
}

export function rstStream(streamId: number, code: number = ERROR.cancel): Buffer {
  return frame(TYPE.rstStream, 0, streamId, uint32(code));
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** What became of a stream. */
export interface StreamSeen {
  readonly status: number | null;
  readonly body: string;
  readonly ended: boolean;
  /** The error code of the server's RST_STREAM; null when there was none. */
  readonly reset: number | null;
}

/** A connection over TLS on which frames are written and read. */
export class FrameClient {
  readonly frames: Frame[] = [];
  readonly #socket: TLSSocket;
  #rest: Buffer = Buffer.alloc(0);
  #closed = false;
  #wakers: (() => void)[] = [];

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** With a greeting the preface and empty SETTINGS are sent, and the server's acknowledged. */
  static async open(
    { port, ca }: { readonly port: number; readonly ca: string },
    { greeting = true }: { readonly greeting?: boolean } = {},
  ): Promise<FrameClient> {
    const socket = connect({ port, host: "127.0.0.1", ca, servername: "localhost", ALPNProtocols: ["h2"] });
    await once(socket, "secureConnect");
    const client = new FrameClient(socket);
    if (greeting) {
      client.send(PREFACE, settings());
      await client.until(() => client.frames.some(({ type }) => type === TYPE.settings));
      client.send(frame(TYPE.settings, FLAG.ack, 0));
    }
    return client;
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(...buffers: readonly Buffer[]): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat(buffers));
  }

  /** Takes nothing from the server any more, until {@link resume}. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Waits until it holds, or the connection has closed; fails after `withinMs`. */
  async until(holds: () => boolean, withinMs = 5_000): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    while (!holds() && !this.#closed) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new Error(`not seen within ${withinMs} ms; seen: ${this.describe()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wakers.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  seen(streamId: number): StreamSeen {
    const own = this.frames.filter((each) => each.streamId === streamId);
    const heads = own.filter(({ type }) => type === TYPE.headers).map(({ payload }) => statusOf(payload));
    const body = own.filter(({ type }) => type === TYPE.data).map(({ payload }) => payload);
    const ended = own.some(
      ({ type, flags }) => (type === TYPE.headers || type === TYPE.data) && (flags & FLAG.endStream) !== 0,
    );
    const reset = own.find(({ type }) => type === TYPE.rstStream)?.payload.readUInt32BE(0) ?? null;
    const status = heads.find((one) => one !== null && one >= 200) ?? null;
    return { status, body: Buffer.concat(body).toString("latin1"), ended, reset };
  }

  /** The stream's whole answer, or its reset, or the connection's end. */
  async answer(streamId: number): Promise<StreamSeen> {
    await this.until(() => {
      const { ended, reset } = this.seen(streamId);
      return ended || reset !== null;
    });
    return this.seen(streamId);
  }

  /** The error code of the server's GOAWAY once the connection has closed; null when it said none. */
  async goaway(): Promise<number | null> {
    await this.until(() => false);
    const last = this.frames.findLast(({ type }) => type === TYPE.goaway);
    return last?.payload.readUInt32BE(4) ?? null;
  }

  /** The server answers a PING, so it has read all that was sent before, and lives. */
  async ping(): Promise<void> {
    const payload = Buffer.from(String(Math.random()).slice(2, 10).padEnd(8, "0"));
    this.send(frame(TYPE.ping, 0, 0, payload));
    const isAnswer = ({ type, flags, payload: back }: Frame) =>
      type === TYPE.ping && flags === FLAG.ack && back.equals(payload);
    await this.until(() => this.frames.some(isAnswer));
    if (!this.frames.some(isAnswer))
      throw new Error(`closed instead of an answer to PING: ${this.describe()}`);
  }

  describe(): string {
    const names = Object.entries(TYPE);
    return this.frames
      .map(({ type, flags, streamId, payload }) => {
        const name = names.find(([, value]) => value === type)?.[0] ?? `${type}`;
        return `${name}#${streamId}(${flags}) ${payload.subarray(0, 16).toString("hex")}`;
      })
      .join("; ");
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) break;
      this.frames.push({
        type: this.#rest.readUInt8(3),
        flags: this.#rest.readUInt8(4),
        streamId: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(this.#rest.subarray(9, 9 + length)),
      });
      this.#rest = this.#rest.subarray(9 + length);
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }
}

/** RFC 7541, Appendix A: the statuses that are in the static table. */
const STATIC_STATUSES = [200, 204, 206, 304, 400, 404, 500];

/** The status of a response's head: its first field. Null of what is no head, such as trailers. */
function statusOf(headerBlock: Buffer): number | null {
  let at = 0;
  // Sizes of the table come first (RFC 7541 §6.3); none here needs more than a byte's continuation.
  while (((headerBlock[at] ?? 0) & 0xe0) === 0x20) at += ((headerBlock[at] ?? 0) & 0x1f) === 0x1f ? 3 : 1;
  const first = headerBlock[at] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return STATIC_STATUSES[first - 0x88] ?? null;
  if (![0x08, 0x18, 0x48].includes(first)) return null;
  const length = headerBlock[at + 1] ?? 0;
  const value = headerBlock.subarray(at + 2, at + 2 + (length & 0x7f));
  return Number((length & 0x80) === 0 ? value.toString("latin1") : digitsOf(value));
}

/** Digits in the code of RFC 7541, Appendix B: 0 to 2 have five bits, the others six. */
function digitsOf(coded: Buffer): string {
  let bits = [...coded].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let digits = "";
  while (bits.length >= 5) {
    const five = Number.parseInt(bits.slice(0, 5), 2);
    if (five <= 2) {
      digits += five;
      bits = bits.slice(5);
      continue;
    }
    const six = Number.parseInt(bits.slice(0, 6), 2);
    if (bits.length < 6 || six < 25 || six > 31) break;
    digits += six - 22;
    bits = bits.slice(6);
  }
  return digits;
}
