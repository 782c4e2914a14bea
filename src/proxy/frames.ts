import { randomBytes } from "node:crypto";

/*
 * As much of RFC 6455 §5.2 as a tunnel needs that lets frames pass and puts in one of its own. Extensions change nothing of
 * it: permessage-deflate compresses payloads and says so in a reserved bit, the framing stays.
 */

const CLOSE = 0x8;
const FINAL = 0x80;
const MASKED = 0x80;
const OPCODE = 0x0f;
const LENGTH = 0x7f;
/** Lengths from here on say that the true one follows, in two or in eight bytes. */
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;
const LONGEST_HEADER = 14;

/** Follows the frames of one direction as they pass, and knows where one ends. It looks at headers and skips payloads. */
export class FrameReader {
  readonly #header = Buffer.alloc(LONGEST_HEADER);
  #have = 0;
  #need = 2;
  #payloadLeft = 0;
  #closed = false;

  /** Nothing has passed of a frame whose end has not: another may be put in here, between fragments of a message too. */
  get isBetween(): boolean {
    return this.#have === 0;
  }

  /** A close frame has passed, after which nothing may follow. */
  get isClosed(): boolean {
    return this.#closed;
  }

  read(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) at = this.readFrame(chunk, at);
  }

  /** Reads to the end of the present frame, or to that of the chunk if it comes first; returns where that is. */
  readFrame(chunk: Buffer, from = 0): number {
    const start = this.#readHeader(chunk, from);
    if (this.#have < this.#need) return start;
    const skipped = Math.min(this.#payloadLeft, chunk.length - start);
    this.#payloadLeft -= skipped;
    if (this.#payloadLeft === 0) this.#end();
    return start + skipped;
  }

  #readHeader(chunk: Buffer, from: number): number {
    let at = from;
    while (this.#have < this.#need && at < chunk.length) {
      this.#header[this.#have] = chunk[at] ?? 0;
      this.#have += 1;
      at += 1;
      if (this.#have === 2) this.#need = headerLength(this.#header);
      if (this.#have === this.#need) this.#payloadLeft = payloadLength(this.#header);
    }
    return at;
  }

  #end(): void {
    this.#closed ||= ((this.#header[0] ?? 0) & OPCODE) === CLOSE;
    this.#have = 0;
    this.#need = 2;
  }
}

/** A close frame; `masked` as a client has to send it. The reason is for people, at most 123 bytes. */
export function closeFrame(code: number, reason: string, { masked }: { readonly masked: boolean }): Buffer {
  const payload = Buffer.from(`  ${reason}`);
  payload.writeUInt16BE(code);
  const head = Buffer.from([FINAL | CLOSE, (masked ? MASKED : 0) | payload.length]);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(MASK_BYTES);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index % MASK_BYTES] ?? 0))]);
}

function headerLength(header: Buffer): number {
  const second = header[1] ?? 0;
  const length = second & LENGTH;
  const extended = length === LENGTH_64 ? 8 : length === LENGTH_16 ? 2 : 0;
  return 2 + extended + (second & MASKED ? MASK_BYTES : 0);
}

function payloadLength(header: Buffer): number {
  const length = (header[1] ?? 0) & LENGTH;
  if (length === LENGTH_16) return header.readUInt16BE(2);
  // Beyond 2^53 it is not exact, and no such frame ever ends.
  return length === LENGTH_64 ? Number(header.readBigUInt64BE(2)) : length;
}
