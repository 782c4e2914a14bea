import type { ClientHttp2Stream } from "node:http2";

/** As much of a body is kept, in case that it has to be sent again. */
const KEPT_BYTES = 65_536;

/** A request's body on its way, of which the beginning is kept for as long as nobody has looked at it. */
export class Http2Upload {
  readonly #source: AsyncIterator<Buffer>;
  #asked: Promise<IteratorResult<Buffer>> | null = null;
  /** What was sent; null when that is not all there was. */
  #kept: Buffer[] | null = [];
  #keptBytes = 0;

  constructor(body: Buffer | AsyncIterable<Buffer>) {
    this.#source = Buffer.isBuffer(body) ? oneChunk(body) : body[Symbol.asyncIterator]();
  }

  /** Whether it could be sent from its beginning. */
  get isKnown(): boolean {
    return this.#kept !== null;
  }

  /** It will not have to be. */
  forget(): void {
    this.#kept = null;
  }

  /** Resolves when it is sent, or the stream is gone; rejects when the body breaks off. */
  async sendTo(stream: ClientHttp2Stream, moved: () => void): Promise<void> {
    for (const chunk of this.#kept ?? []) await write(stream, chunk);
    while (!stream.destroyed) {
      this.#asked ??= this.#source.next();
      const chunk = await this.#asked;
      // Whoever sends it again asks for the same.
      if (stream.destroyed) return;
      this.#asked = null;
      if (chunk.done) return void stream.end();
      this.#keep(chunk.value);
      moved();
      await write(stream, chunk.value);
    }
  }

  /** Nobody wants more of it. */
  async close(): Promise<void> {
    await this.#source.return?.().catch(() => {});
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > KEPT_BYTES) this.#kept = null;
    else this.#kept?.push(chunk);
  }
}

async function* oneChunk(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}

/** Resolves when the other side keeps up again, or is gone. */
async function write(stream: ClientHttp2Stream, chunk: Buffer): Promise<void> {
  if (stream.destroyed || stream.writableEnded || stream.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      stream.off("drain", go);
      stream.off("close", go);
      resolve();
    };
    stream.on("drain", go);
    stream.on("close", go);
  });
}
