import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A slow reader: it reads so much as fast as it can, then nothing for a while, and so on. */
const BURST_BYTES = 64 * 1_048_576;
const PAUSE_MS = 500;

/** Reads a stream to its end in bursts, keeping nothing; resolves to the number of bytes. */
export async function readInBursts(stream: Readable): Promise<number> {
  let bytes = 0;
  let untilPause = BURST_BYTES;
  for await (const chunk of stream) {
    const { length } = chunk as Buffer;
    bytes += length;
    untilPause -= length;
    if (untilPause > 0) continue;
    await sleep(PAUSE_MS);
    untilPause = BURST_BYTES;
  }
  return bytes;
}
